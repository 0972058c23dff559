package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

type listenCommand struct {
	Port      uint16 `help:"Port on 127.0.0.1; 0 takes a free one." default:"9090"`
	Secret    string `help:"Verify the seal of every request with this Standard Webhooks secret (whsec_...)."`
	Status    int    `help:"Answer with this status." default:"200"`
	FailFirst int    `help:"Answer 503 to the first N requests." placeholder:"N"`
}

// Run receives and prints until the context ends: a target for trying things out.
func (c listenCommand) Run(ctx context.Context, out output) error {
	if c.Status < 200 || c.Status > 599 {
		return usageError{fmt.Errorf("--status: %d is no final status (200 to 599)", c.Status)}
	}
	if c.Secret != "" {
		if err := sign.CheckSecret(c.Secret); err != nil {
			return usageError{fmt.Errorf("--secret: %w", err)}
		}
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.Port))
	if err != nil {
		return err
	}
	fmt.Fprintf(out.Out, "listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: &printer{cfg: c, to: out.Out, seen: map[string]int{}}, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// printer answers as told and prints every request.
type printer struct {
	cfg  listenCommand
	to   io.Writer
	mu   sync.Mutex
	n    int
	seen map[string]int // webhook-id -> how often
}

func (p *printer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	id := r.Header.Get("Webhook-Id")
	p.seen[id]++
	status := p.cfg.Status
	if p.n <= p.cfg.FailFirst {
		status = http.StatusServiceUnavailable
	}
	fmt.Fprintf(p.to, "\n%s %s -> %d\n", r.Method, r.URL.RequestURI(), status)
	for _, name := range []string{"Content-Type", "webhook-id", "X-Tidings-Attempt", "X-Tidings-Order-Version", "X-Tidings-Scope", "x-merchant", "x-channel"} {
		fmt.Fprintf(p.to, "  %s: %s\n", strings.ToLower(name), r.Header.Get(name))
	}
	if p.seen[id] > 1 {
		fmt.Fprintf(p.to, "  seen before: %d times with this webhook-id\n", p.seen[id]-1)
	}
	if p.cfg.Secret != "" {
		verdict := "seal: good"
		if err := sign.VerifyStandardWebhooks(r.Header, body, time.Now(), 5*time.Minute, p.cfg.Secret); err != nil {
			verdict = "seal: BAD: " + err.Error()
		}
		fmt.Fprintf(p.to, "  %s\n", verdict)
	}
	fmt.Fprintf(p.to, "%s\n", body)
	if err != nil {
		fmt.Fprintf(p.to, "  body broke off: %v\n", err)
	}
	w.WriteHeader(status)
}
