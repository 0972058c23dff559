package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/queue/batch"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// house is one process of Tidings without its door: store, producer, worker and sweeper over one Redis.
type house struct {
	t        *testing.T
	rdb      *redis.Client
	store    *store.Store
	producer *queue.Producer
	sweeper  *queue.Sweeper
	clock    *clock
	ref      dispatcher.OrderRef
	registry *prometheus.Registry
	worker   func(*testing.T) // adds a worker

	newSweeper func() *queue.Sweeper
	orders     atomic.Int64  // made by owe
	timeout    time.Duration // of what owe owes
}

// clock is the time, and can be moved ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// newHouse builds a house; with workers it works, without nobody takes tasks.
func newHouse(t *testing.T, rdb *redis.Client, workers int) *house {
	t.Helper()
	h := &house{t: t, rdb: rdb, clock: &clock{}, ref: dispatcher.OrderRef{Merchant: "acme", OrderID: "1001"}, timeout: time.Second}
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sealer, err := store.NewSealer(store.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	h.store = store.New(store.Config{Redis: rdb, Sealer: sealer, Now: h.clock.now})
	forecast := queue.NewForecast()
	rdb.AddHook(forecast)
	h.registry = prometheus.NewRegistry()
	metrics := queue.NewMetrics(h.registry)
	h.producer = queue.NewProducer(queue.ProducerConfig{Store: h.store, Redis: rdb, Bell: queue.NewBell(), Log: log, Metrics: metrics, Now: h.clock.now})
	ringing, silence := context.WithCancel(context.Background())
	t.Cleanup(silence)
	go h.producer.Run(ringing)
	h.newSweeper = func() *queue.Sweeper { return queue.NewSweeper(h.store, h.producer, log, metrics, h.clock.now) }
	h.sweeper = h.newSweeper()
	out := outbound.New(outbound.Config{AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(out.Close)
	h.worker = func(t *testing.T) {
		t.Helper()
		options := *rdb.Options()
		options.PushNotificationProcessor = nil // not to be shared by two clients
		options.PoolSize = 64
		client, bell := redis.NewClient(&options), queue.NewBell(queue.Name, queue.BulkName)
		options.PoolSize, options.MaxRetries = batch.Connections, -1
		carrier := redis.NewClient(&options)
		client.AddHook(bell)
		client.AddHook(forecast)
		fetcher := queue.NewFetcher()
		client.AddHook(fetcher)
		client.AddHook(batch.NewHook(carrier))
		listening, cancel := context.WithCancel(context.Background())
		go bell.Listen(listening, rdb)
		w := queue.NewWorker(queue.WorkerConfig{
			Store: h.store, Producer: h.producer, Redis: client, Bell: bell, Fetcher: fetcher, Outbound: out, Log: log, Metrics: metrics,
			UserAgent: "Tidings/test", Concurrency: 16, Servers: 1, Now: h.clock.now,
		})
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Stop(); cancel(); client.Close(); carrier.Close() })
	}
	for range workers {
		h.worker(t)
	}
	return h
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) { l.t.Log(string(p)); return len(p), nil }

// register puts a notification on the order; edit may change it before.
func (h *house) register(url string, edit func(*dispatcher.Notification)) dispatcher.Notification {
	h.t.Helper()
	n := dispatcher.Notification{
		ID: dispatcher.NewID(time.Now()), URL: url, Method: "POST", Scope: anyState(h.t), Format: dispatcher.FormatNorce,
		Ordering: dispatcher.OrderingStrict, Timeout: dispatcher.Duration(5 * time.Second), Created: h.clock.now(),
	}
	if edit != nil {
		edit(&n)
	}
	err := h.producer.Commit(h.t.Context(), h.ref, func(store.State) (*store.Commit, error) {
		return &store.Commit{Channel: "web", Put: []dispatcher.Notification{n}}, nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func anyState(t *testing.T) scope.Scope {
	t.Helper()
	rule, faults := scope.ParseScope(value(t, `{"state":["*"]}`), scope.Value{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return rule
}

func wholeOrder(t *testing.T) scope.Scope {
	t.Helper()
	rule, faults := scope.ParseScope(value(t, `""`), scope.Value{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return rule
}

func value(t *testing.T, text string) scope.Value {
	t.Helper()
	v, faults := scope.Parse([]byte(text), scope.DefaultLimits)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return v
}

// plan is what PUT does between load and commit.
func (h *house) plan(state store.State, status string) *store.Commit {
	return h.planTo(state, fmt.Sprintf(`{"state":{"currentStatus":%q}}`, status))
}

func (h *house) planTo(state store.State, document string) *store.Commit {
	order := state.Order
	if order.Channel == "" {
		order.Channel = "web"
	}
	change, changed := dispatcher.NewChange(order, value(h.t, document), "", h.clock.now())
	if !changed {
		h.t.Fatalf("%s changes nothing", document)
	}
	deliveries, err := dispatcher.Plan(context.Background(), change, state.Notifications)
	if err != nil {
		h.t.Fatal(err)
	}
	return &store.Commit{Change: &change, Deliveries: deliveries}
}

// change moves the order to a status and returns the deliveries owed.
func (h *house) change(status string) (owed []dispatcher.Delivery) {
	h.t.Helper()
	return h.changeTo(fmt.Sprintf(`{"state":{"currentStatus":%q}}`, status))
}

func (h *house) changeTo(document string) (owed []dispatcher.Delivery) {
	h.t.Helper()
	err := h.producer.Commit(h.t.Context(), h.ref, func(state store.State) (*store.Commit, error) {
		c := h.planTo(state, document)
		owed = c.Deliveries
		return c, nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return owed
}

// commitOnly is change with a crash between commit and enqueue.
func (h *house) commitOnly(status string) []dispatcher.Delivery {
	h.t.Helper()
	state, err := h.store.Load(h.t.Context(), h.ref)
	if err != nil {
		h.t.Fatal(err)
	}
	c := h.plan(state, status)
	c.State = state
	if _, err := h.store.Commit(h.t.Context(), *c); err != nil {
		h.t.Fatal(err)
	}
	return c.Deliveries
}

// await polls the store until the delivery has the status; the polling ends with the test's own patience.
func (h *house) await(id string, want dispatcher.Status) (store.Held, []dispatcher.Attempt) {
	h.t.Helper()
	var held store.Held
	var attempts []dispatcher.Attempt
	h.until(func() bool {
		var err error
		held, attempts, err = h.store.Delivery(h.t.Context(), h.ref.Merchant, id)
		if err != nil {
			h.t.Fatal(err)
		}
		return held.Status == want
	}, func() string { return fmt.Sprintf("delivery %s is %s, not %s", id, held.Status, want) })
	return held, attempts
}

func (h *house) until(ok func() bool, what func() string) {
	h.t.Helper()
	patience, tick := time.NewTimer(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer patience.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-patience.C:
			h.t.Fatal(what())
		case <-tick.C:
		}
	}
}

func (h *house) sweep() int {
	h.t.Helper()
	return h.sweepBy(h.sweeper)
}

func (h *house) sweepBy(s *queue.Sweeper) int {
	h.t.Helper()
	n, err := s.Sweep(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// post is one request as the receiver saw it.
type post struct {
	header http.Header
	body   string
	status string // of the order in the body
	path   string
	at     time.Time
	gone   <-chan struct{} // closed when the sender has given up
}

// receiver keeps every request and answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	answer func(n int, w http.ResponseWriter, p post) // n counts from 1
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, p post)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var order struct {
			State struct{ CurrentStatus string }
		}
		_ = json.Unmarshal(body, &order)
		p := post{req.Header.Clone(), string(body), order.State.CurrentStatus, req.URL.String(), time.Now(), req.Context().Done()}
		r.mu.Lock()
		r.posts = append(r.posts, p)
		n := len(r.posts)
		r.mu.Unlock()
		if r.answer != nil {
			r.answer(n, w, p)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) seen() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]post(nil), r.posts...)
}

func (r *receiver) statuses() (all []string) {
	for _, p := range r.seen() {
		all = append(all, p.status)
	}
	return all
}

// each runs the test on every Redis of this machine.
func each(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		test(t, rdb)
	})
}

func anyOrder(store.State) error { return nil }

// keyOf returns the key of a kind that belongs to the order (see store/doc.go).
func (h *house) keyOf(kind string) string {
	return fmt.Sprintf("td{s%d}:%s:%s:%s", h.ref.Shard(), kind, h.ref.Merchant, h.ref.OrderID)
}

// headOf returns what a delivery's record opens with: generation, revision, status, claimed at.
func (h *house) headOf(id string) string {
	h.t.Helper()
	text, err := h.rdb.Get(h.t.Context(), fmt.Sprintf("td{s%d}:d:%s", h.ref.Shard(), id)).Result()
	if err != nil {
		h.t.Fatal(err)
	}
	return text[:26]
}
