package bench

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Behaviour is how a target treats its requests.
type Behaviour string

// The behaviours; all begin well.
const (
	Well   Behaviour = "well"
	Hang   Behaviour = "hang"   // takes the request and never answers
	Refuse Behaviour = "refuse" // does not listen any more
	Errs   Behaviour = "errs"   // answers 500
	Drip   Behaviour = "drip"   // answers 200, and then its body byte by byte, for ever
)

// dripEvery is the pause between two bytes.
const dripEvery = 100 * time.Millisecond

// Arrival is one request that a target saw. Times are nanoseconds since 1970.
type Arrival struct {
	Seq int   // of the change
	Due int64 // when the change was due to be PUT
	At  int64 // when the request's header and body had arrived
}

// ready is the first line that the receivers print.
type ready struct {
	Control string   // host:port of what the bench asks
	Targets []string // host:port of each
}

type targets struct {
	all     []*target
	arrived atomic.Int64
}

type target struct {
	parent   *targets
	server   *http.Server
	as       atomic.Value // Behaviour
	mu       sync.Mutex
	arrivals []Arrival
}

// Receive plays n targets until the context ends. It is what the hidden command of the receivers' process runs.
func Receive(ctx context.Context, n int, out io.Writer) error {
	ts := &targets{}
	var say ready
	for range n {
		t := &target{parent: ts}
		t.as.Store(Well)
		t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
		address, err := serveLoopback(ctx, t.server)
		if err != nil {
			return err
		}
		ts.all = append(ts.all, t)
		say.Targets = append(say.Targets, address)
	}
	control := http.NewServeMux()
	control.HandleFunc("POST /behave", ts.behave)
	control.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, ts.arrived.Load()) })
	control.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, ownCPU()) })
	control.HandleFunc("GET /arrivals", ts.tell)
	var err error
	if say.Control, err = serveLoopback(ctx, &http.Server{Handler: control, ReadHeaderTimeout: time.Minute}); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(say); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func serveLoopback(ctx context.Context, server *http.Server) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), nil
}

func (t *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	at := time.Now().UnixNano()
	if err != nil {
		return
	}
	if seq, due, ok := readStamp(body); ok {
		t.mu.Lock()
		t.arrivals = append(t.arrivals, Arrival{seq, due, at})
		t.mu.Unlock()
		t.parent.arrived.Add(1)
	}
	switch t.as.Load() {
	case Hang:
		<-r.Context().Done()
	case Drip:
		drip(w, r)
	case Errs:
		http.Error(w, "out of order", http.StatusInternalServerError)
	default:
		fmt.Fprint(w, usualAnswer)
	}
}

// usualAnswer has 200 bytes.
var usualAnswer = `{"received":true,"note":"` + strings.Repeat("thanks ", 24) + `12345"}`

func drip(w http.ResponseWriter, r *http.Request) {
	pause := time.NewTicker(dripEvery)
	defer pause.Stop()
	for {
		if _, err := io.WriteString(w, "."); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
	}
}

// order is what the bench asks of some targets.
type order struct {
	Targets []int
	As      Behaviour
}

func (ts *targets) behave(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, i := range o.Targets {
		t := ts.all[i]
		t.as.Store(o.As)
		if o.As == Refuse {
			_ = t.server.Close() // its listener and every connection that is kept alive
		}
	}
}

// tell gives all arrivals of each target, as gob: there may be 100 000.
func (ts *targets) tell(w http.ResponseWriter, _ *http.Request) {
	all := make([][]Arrival, len(ts.all))
	for i, t := range ts.all {
		t.mu.Lock()
		all[i] = append([]Arrival(nil), t.arrivals...)
		t.mu.Unlock()
	}
	_ = gob.NewEncoder(w).Encode(all)
}

// The stamp stands in the order's document, and so in the body that is delivered: "benchStamp":"<seq>.<due>".
const stampMember = `"benchStamp":"`

func stamp(seq int, due time.Time) string {
	return stampMember + strconv.Itoa(seq) + "." + strconv.FormatInt(due.UnixNano(), 10) + `"`
}

func readStamp(body []byte) (seq int, due int64, ok bool) {
	_, rest, found := bytes.Cut(body, []byte(stampMember))
	text, _, ended := bytes.Cut(rest, []byte(`"`))
	first, second, parted := strings.Cut(string(text), ".")
	seq, err1 := strconv.Atoi(first)
	due, err2 := strconv.ParseInt(second, 10, 64)
	return seq, due, found && ended && parted && err1 == nil && err2 == nil
}
