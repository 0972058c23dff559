package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

// demoSystems in the order in which they are told.
var demoSystems = []string{"norce", "fbpi", "probo", "fatpay"}

// demoReceiver is the receiver of one system. It takes what is sealed as it should be, while it is up.
type demoReceiver struct {
	url      string
	server   *http.Server
	verifier *receiver.Verifier // nil: the system knows no seal
	secret   string             // of norce
	work     func(body []byte) (status int)
	arrivals chan demoArrival
	mu       sync.Mutex
	down     bool
}

// demoArrival is one request as its receiver saw it.
type demoArrival struct {
	receiver.Message
	at     time.Time
	status int   // answered
	fault  error // of the request or its seal
}

// openReceivers starts the four, each on a port of its own. The spoiled one has the wrong key, or fails.
func (w *demoWorld) openReceivers(ctx context.Context, spoil string) (err error) {
	w.receivers = map[string]*demoReceiver{}
	for _, system := range demoSystems {
		if w.receivers[system], err = startDemoReceiver(ctx); err != nil {
			return err
		}
	}
	norce := w.receivers["norce"]
	norce.secret = sign.GenerateSecret()
	norce.verifier = &receiver.Verifier{Secrets: []string{norce.secret}}
	token := w.api.token
	switch spoil {
	case "norce":
		norce.verifier.Secrets = []string{sign.GenerateSecret()}
	case "probo":
		w.receivers["probo"].work = func([]byte) int { return http.StatusInternalServerError }
	case "fbpi":
		token = "wrong"
	}
	key, err := w.publicKey(ctx, spoil == "fatpay")
	if err != nil {
		return err
	}
	w.receivers["fatpay"].verifier = &receiver.Verifier{FaTPayKeys: []*rsa.PublicKey{key}}
	w.flow, err = openFBPIFlow(fbpiConfig{Base: w.api.base, Token: token, Merchant: demoMerchant, Tries: 3, Dir: filepath.Join(w.dir, "noon"),
		Chance: newChance(nil), Report: func(r fbpiRecord) { w.fetched <- r }, Now: time.Now})
	if err != nil {
		return err
	}
	w.flow.resume(context.WithoutCancel(ctx))
	w.receivers["fbpi"].work = func(body []byte) int { status, _ := w.flow.accept(body); return status }
	return nil
}

// publicKey fetches the merchant's, as FaTPay's receivers do.
func (w *demoWorld) publicKey(ctx context.Context, wrong bool) (*rsa.PublicKey, error) {
	if wrong {
		return &sign.GenerateRSAKey().PublicKey, nil
	}
	var answer struct{ PEM map[string]string }
	if err := w.api.call(ctx, http.MethodGet, demoAPI+"/signing-keys", nil, &answer); err != nil {
		return nil, err
	}
	for _, text := range answer.PEM {
		public, err := sign.ParsePublicPEM([]byte(text))
		if err != nil {
			return nil, err
		}
		if key, ok := public.(*rsa.PublicKey); ok {
			return key, nil
		}
	}
	return nil, errors.New("the merchant has no RSA key at /signing-keys")
}

func startDemoReceiver(ctx context.Context) (*demoReceiver, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &demoReceiver{url: fmt.Sprintf("http://%s/in", listener.Addr()), arrivals: make(chan demoArrival, 1000)}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

func (r *demoReceiver) close() error {
	if r == nil { // not started
		return nil
	}
	return r.server.Close()
}

// setDown lets the receiver answer 503 to all, or as it should again.
func (r *demoReceiver) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *demoReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a := demoArrival{at: time.Now(), status: http.StatusOK}
	a.Message, a.fault = receiver.Read(req)
	if a.fault == nil && r.verifier != nil {
		a.fault = r.verifier.Verify(req, a.Body)
	}
	r.mu.Lock()
	down := r.down
	r.mu.Unlock()
	switch {
	case down:
		a.status = http.StatusServiceUnavailable
	case a.fault != nil:
		a.status = http.StatusUnauthorized
	case r.work != nil:
		a.status = r.work(a.Body)
	}
	r.arrivals <- a
	w.WriteHeader(a.status)
}
