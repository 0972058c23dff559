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

	"github.com/valyala/fasthttp"
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

// target is one receiver. It is served by fasthttp: what the receivers take of the machine is not to be mistaken for what
// Tidings takes.
type target struct {
	parent   *targets
	listener net.Listener
	as       atomic.Value // Behaviour
	mu       sync.Mutex
	open     map[net.Conn]bool
	arrivals []Arrival
}

// Receive plays n targets until the context ends. It is what the hidden command of the receivers' process runs.
func Receive(ctx context.Context, n int, out io.Writer) error {
	ts := &targets{}
	var say ready
	for range n {
		t := &target{parent: ts, open: map[net.Conn]bool{}}
		t.as.Store(Well)
		server := &fasthttp.Server{Handler: t.receive, ConnState: t.note, NoDefaultServerHeader: true}
		var err error
		if t.listener, err = serveLoopback(ctx, server.Serve); err != nil {
			return err
		}
		ts.all = append(ts.all, t)
		say.Targets = append(say.Targets, t.listener.Addr().String())
	}
	control := http.NewServeMux()
	control.HandleFunc("POST /behave", ts.behave)
	control.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, ts.arrived.Load()) })
	control.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, ownCPU()) })
	control.HandleFunc("GET /arrivals", ts.tell)
	asked, err := serveLoopback(ctx, (&http.Server{Handler: control, ReadHeaderTimeout: time.Minute}).Serve)
	if err != nil {
		return err
	}
	say.Control = asked.Addr().String()
	if err := json.NewEncoder(out).Encode(say); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func serveLoopback(ctx context.Context, serve func(net.Listener) error) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		go func() { _ = serve(listener) }()
	}
	return listener, err
}

// note keeps the connections, which a target that refuses closes.
func (t *target) note(conn net.Conn, is fasthttp.ConnState) {
	switch is {
	case fasthttp.StateNew:
		t.mu.Lock()
		t.open[conn] = true
		t.mu.Unlock()
	case fasthttp.StateClosed, fasthttp.StateHijacked:
		t.mu.Lock()
		delete(t.open, conn)
		t.mu.Unlock()
	}
}

func (t *target) refuse() {
	_ = t.listener.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.open {
		_ = conn.Close()
	}
}

func (t *target) receive(c *fasthttp.RequestCtx) {
	at := time.Now().UnixNano()
	if seq, due, ok := readStamp(c.PostBody()); ok {
		t.mu.Lock()
		t.arrivals = append(t.arrivals, Arrival{seq, due, at})
		t.mu.Unlock()
		t.parent.arrived.Add(1)
	}
	switch t.as.Load() {
	case Hang:
		c.HijackSetNoResponse(true)
		c.Hijack(func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }) // until the sender gives up
	case Drip:
		c.HijackSetNoResponse(true)
		c.Hijack(drip)
	case Errs:
		c.Error("out of order", http.StatusInternalServerError)
	default:
		c.SetBodyString(usualAnswer)
	}
}

// usualAnswer has 200 bytes.
var usualAnswer = `{"received":true,"note":"` + strings.Repeat("thanks ", 24) + `12345"}`

// drip answers without an end, until the sender has gone.
func drip(conn net.Conn) {
	pause := time.NewTicker(dripEvery)
	defer pause.Stop()
	for part := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n."; ; part = "." {
		if _, err := io.WriteString(conn, part); err != nil {
			return
		}
		<-pause.C
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
			t.refuse()
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
