package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Mood is how a receiver behaves.
type Mood string

// The moods; a mended receiver is well.
const (
	Well    Mood = "well"
	Slow    Mood = "slow"    // answers after up to two seconds
	Errs    Mood = "errs"    // answers 5xx
	Resets  Mood = "resets"  // breaks the connection without an answer
	Refuses Mood = "refuses" // does not listen
)

var moods = []Mood{Slow, Errs, Resets, Refuses}

// Receivers are targets on ports of their own.
type Receivers struct {
	history *History
	all     []*receiver
}

type receiver struct {
	parent *Receivers
	addr   string
	mu     sync.Mutex
	mood   Mood
	rng    *rand.Rand
	server *http.Server
}

// A receiver takes up to this long, so that kills meet attempts in flight.
const (
	usual = 100 * time.Millisecond
	slow  = 2 * time.Second
)

// StartReceivers listens on four ports of 127.0.0.1.
func StartReceivers(history *History, rng *rand.Rand) (*Receivers, error) {
	rs := &Receivers{history: history}
	for range 4 {
		r := &receiver{parent: rs, addr: "127.0.0.1:0", mood: Well, rng: rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))}
		if err := r.listen(); err != nil {
			return nil, err
		}
		rs.all = append(rs.all, r)
	}
	return rs, nil
}

func (r *receiver) listen() error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", r.addr)
	if err != nil {
		return err
	}
	r.addr = listener.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }()
	return nil
}

// URL of the i-th receiver.
func (rs *Receivers) URL(i int) string { return "http://" + rs.all[i%len(rs.all)].addr }

// SetMood changes how one receiver behaves.
func (rs *Receivers) SetMood(i int, mood Mood) error {
	r := rs.all[i%len(rs.all)]
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.mood
	r.mood = mood
	switch {
	case mood == Refuses && was != Refuses:
		return r.server.Close()
	case mood != Refuses && was == Refuses:
		return r.listen()
	}
	return nil
}

// Mend makes all receivers well.
func (rs *Receivers) Mend() {
	for i := range rs.all {
		_ = rs.SetMood(i, Well)
	}
}

// Close ends them.
func (rs *Receivers) Close() {
	for _, r := range rs.all {
		r.mu.Lock()
		_ = r.server.Close()
		r.mu.Unlock()
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	_, _ = io.Copy(io.Discard, req.Body)
	r.mu.Lock()
	mood, toss := r.mood, r.rng.Float64()
	wait := time.Duration(r.rng.Int64N(int64(usual)))
	if mood == Slow {
		wait = time.Duration(r.rng.Int64N(int64(slow)))
	}
	r.mu.Unlock()
	version, _ := strconv.ParseInt(req.Header.Get("X-Tidings-Order-Version"), 10, 64)
	a := Arrival{DeliveryID: req.Header.Get("Webhook-Id"), EventID: req.Header.Get("X-Tidings-Event"),
		Lane: req.URL.Path, Version: version, At: at, Status: http.StatusOK}
	if pause(req.Context(), wait) != nil {
		a.Status = 0 // the sender has gone
	}
	switch mood {
	case Well, Slow, Refuses: // one that refuses ends what it has begun
	case Errs:
		if toss < 0.8 && a.Status != 0 {
			a.Status = http.StatusServiceUnavailable
		}
	case Resets:
		if toss < 0.8 {
			a.Status = 0
		}
	}
	// What is recorded is what this side knows: an answer that was written may still get lost on its way.
	r.parent.history.Arrive(a)
	if a.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(a.Status)
	fmt.Fprint(w, "received")
}
