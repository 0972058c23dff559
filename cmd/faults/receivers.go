package main

import (
	"context"
	"errors"
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
	Hangs   Mood = "hangs"   // never answers: the sender's deadline ends it
	Fails   Mood = "fails"   // answers 500 to everything
)

// moods of the receivers that the Spoiler plays with.
var moods = []Mood{Slow, Errs, Resets, Refuses}

// spells are the moods of the receivers that have one each, for a spell: long enough for their gates to open.
var spells = []Mood{Hangs, Fails, Refuses}

// Receivers are targets on ports of their own, each with a gate of its own.
type Receivers struct {
	history *History
	all     []*receiver // first moody of them, then one for each of spells, then the limited one
}

const (
	moody = 4
	// limit is how many requests at once the limited receiver was promised, and patient that it ends what it began
	// though the sender is gone, as most receivers do.
	limit = 2
)

type receiver struct {
	parent  *Receivers
	addr    string
	patient bool
	mu      sync.Mutex
	mood    Mood
	inside  int // requests at once
	rng     *rand.Rand
	server  *http.Server
}

// A receiver takes up to this long, so that kills meet attempts in flight.
const (
	usual = 100 * time.Millisecond
	slow  = 2 * time.Second
	// The limited receiver takes at least this long, so that requests meet there.
	thorough = 100 * time.Millisecond
	// limitedOrders is up to which order it is one's receiver.
	limitedOrders = 60
)

// StartReceivers listens on ports of 127.0.0.1.
func StartReceivers(history *History, rng *rand.Rand) (*Receivers, error) {
	rs := &Receivers{history: history}
	for i := range moody + len(spells) + 1 {
		r := &receiver{parent: rs, addr: "127.0.0.1:0", mood: Well, patient: i == moody+len(spells), rng: rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))}
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

// URL of one receiver, which is its target's name, too.
func (rs *Receivers) URL(i int) string { return rs.all[i].url() }

func (r *receiver) url() string { return "http://" + r.addr }

// Limited is the target with a limit.
func (rs *Receivers) Limited() string { return rs.URL(moody + len(spells)) }

// Of returns where an order's n-th notification goes: the first of each order to a moody receiver, the second of most
// orders to one that has spells, and of one in eight to the limited one, as long as that can keep up.
func (rs *Receivers) Of(order, n int) string {
	if n == 0 || order%8 == 7 || order%8 == 3 && order > limitedOrders {
		return rs.URL((order + n) % moody)
	}
	return rs.URL(moody + order%4)
}

// Listening are the targets that accept every connection all the time: no attempt there can fail unseen.
func (rs *Receivers) Listening() []string {
	targets := []string{rs.Limited()}
	for i, mood := range spells {
		if mood != Refuses {
			targets = append(targets, rs.URL(moody+i))
		}
	}
	return targets
}

// SetMood changes how one receiver behaves.
func (rs *Receivers) SetMood(i int, mood Mood) error {
	r := rs.all[i]
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
	mood, toss, wait, beside := r.enter()
	version, _ := strconv.ParseInt(req.Header.Get("X-Tidings-Order-Version"), 10, 64)
	a := Arrival{DeliveryID: req.Header.Get("Webhook-Id"), EventID: req.Header.Get("X-Tidings-Event"), Target: r.url(),
		Lane: req.URL.Path, Version: version, At: at, Beside: beside, Status: http.StatusOK}
	patience := req.Context()
	if r.patient {
		patience = context.WithoutCancel(patience)
	}
	if pause(patience, wait) != nil {
		a.Status = 0 // the sender has gone
	}
	switch mood {
	case Well, Slow, Refuses, Hangs: // one that refuses ends what it has begun
	case Fails:
		if a.Status != 0 {
			a.Status = http.StatusInternalServerError
		}
	case Errs:
		if toss < 0.8 && a.Status != 0 {
			a.Status = http.StatusServiceUnavailable
		}
	case Resets:
		if toss < 0.8 {
			a.Status = 0
		}
	}
	r.leave()
	// What is recorded is what this side knows: an answer that was written may still get lost on its way.
	place := r.parent.history.Arrive(a)
	if a.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	if reply(w, a.Status) != nil { // the connection was closed under the answer, by one that has begun to refuse
		r.parent.history.Unanswered(place)
		panic(http.ErrAbortHandler)
	}
}

func reply(w http.ResponseWriter, status int) error {
	const text = "received"
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, err := io.WriteString(w, text)
	return errors.Join(err, http.NewResponseController(w).Flush())
}

// enter counts a request in and says how it will be treated, and how many there are now.
func (r *receiver) enter() (mood Mood, toss float64, wait time.Duration, beside int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
	toss = r.rng.Float64()
	switch {
	case r.patient:
		wait = thorough + time.Duration(r.rng.Int64N(int64(usual)))
	case r.mood == Slow:
		wait = time.Duration(r.rng.Int64N(int64(slow)))
	case r.mood == Hangs:
		wait = time.Minute // longer than any deadline
	default:
		wait = time.Duration(r.rng.Int64N(int64(usual)))
	}
	return r.mood, toss, wait, r.inside
}

// leave comes before the answer: nobody can hear of the end of a request and be counted beside it.
func (r *receiver) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
}
