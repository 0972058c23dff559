package store_test

import (
	"bytes"
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// tb is what tests, benchmarks and rapid have in common.
type tb interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// clock moves only when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clock { return &clock{now: began} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

const (
	lease     = 10 * time.Second
	grace     = 5 * time.Second
	retention = 48 * time.Hour
)

var sealingKey = bytes.Repeat([]byte{7}, store.SealingKeyBytes)

// house is a Store under test with its clock and a second client, which no hook sees.
type house struct {
	rdb   *redis.Client // of the store: every script on it is checked to stay in one slot
	plain *redis.Client // for looking
	clock *clock
	*store.Store
}

func newHouse(t tb, rdb *redis.Client, hooks ...redis.Hook) *house {
	t.Helper()
	sealer, err := store.NewSealer(sealingKey)
	if err != nil {
		t.Fatal(err)
	}
	o := rdb.Options()
	hooked := redis.NewClient(&redis.Options{
		Network: o.Network, Addr: o.Addr, DB: o.DB, ContextTimeoutEnabled: true, MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries,
	})
	hooked.AddHook(oneSlot{t})
	for _, hook := range hooks {
		hooked.AddHook(hook)
	}
	h := &house{rdb: hooked, plain: rdb, clock: newClock()}
	h.Store = store.New(store.Config{Redis: hooked, Sealer: sealer, Retention: retention, Grace: grace, Now: h.clock.Now})
	return h
}

// each runs fn on every Redis of this machine, side by side.
func each(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		h := newHouse(t, rdb)
		t.Cleanup(func() { _ = h.rdb.Close() })
		fn(t, h)
	})
}

func order(id string) dispatcher.OrderRef {
	return dispatcher.OrderRef{Merchant: "acme", OrderID: id}
}

func parse(t tb, text string) scope.Value {
	t.Helper()
	v, faults := scope.Parse([]byte(text), scope.Limits{})
	if len(faults) > 0 {
		t.Fatalf("Parse(%s): %v", text, faults)
	}
	return v
}

// parseOrder reads an order as the API does.
func parseOrder(t tb, text string) scope.Value {
	t.Helper()
	parse(t, text) // tells the faults, which are the same
	v, _ := scope.ParseFolded([]byte(text), scope.Limits{})
	return v
}

func parseScope(t tb, text string) scope.Scope {
	t.Helper()
	s, faults := scope.ParseScope(parse(t, text), scope.Value{})
	if len(faults) > 0 {
		t.Fatalf("ParseScope(%s): %v", text, faults)
	}
	return s
}

// notification is one that fires on every change of the status.
func notification(t tb, id string, ordering dispatcher.Ordering) dispatcher.Notification {
	t.Helper()
	return dispatcher.Notification{
		ID: id, URL: "https://erp.example.com/hook", Method: "POST", Scope: parseScope(t, `{"state":["*"]}`),
		Format: dispatcher.FormatNorce, Signing: dispatcher.SigningNone, Ordering: ordering,
		Timeout: dispatcher.Duration(dispatcher.DefaultTimeout), Created: began,
	}
}

func status(name string) string { return `{"state":{"currentStatus":"` + name + `"}}` }

func (h *house) load(t tb, ref dispatcher.OrderRef) store.State {
	t.Helper()
	state, err := h.Load(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// planned is the commit of a document onto the order as it was loaded, with all that it owes.
func (h *house) planned(t tb, state store.State, document string, put ...dispatcher.Notification) store.Commit {
	t.Helper()
	before := state.Order
	if before.Channel == "" {
		before.Channel = "web"
	}
	c := store.Commit{State: state, Channel: before.Channel, Put: put}
	change, changed := dispatcher.NewChange(before, parseOrder(t, document), "", h.clock.Now())
	if changed {
		c.Change = &change
		var err error
		if c.Deliveries, err = dispatcher.Plan(context.Background(), change, store.MergeNotifications(state.Notifications, put)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// put commits a document and returns what it owes, and what of it may begin.
func (h *house) put(t tb, ref dispatcher.OrderRef, document string, put ...dispatcher.Notification) ([]dispatcher.Delivery, []dispatcher.Task) {
	t.Helper()
	c := h.planned(t, h.load(t, ref), document, put...)
	return c.Deliveries, h.commit(t, c).Ready
}

// commit is one that must succeed and leave the state that it tells.
func (h *house) commit(t tb, c store.Commit) store.Committed {
	t.Helper()
	done, err := h.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	left, read := done.State, h.load(t, c.State.Order.Ref())
	if len(left.Notifications) == 0 && len(read.Notifications) == 0 {
		left.Notifications, read.Notifications = nil, nil
	}
	if !reflect.DeepEqual(left, read) {
		t.Fatalf("the commit leaves\n%+v\nand a load reads\n%+v", left, read)
	}
	return done
}

// one commits an order with one notification and returns the one delivery that it owes.
func (h *house) one(t tb, ref dispatcher.OrderRef, ordering dispatcher.Ordering) dispatcher.Delivery {
	t.Helper()
	owed, ready := h.put(t, ref, status("created"), notification(t, "n1", ordering))
	if len(owed) != 1 || len(ready) != 1 {
		t.Fatalf("owed %d, ready %d; want one", len(owed), len(ready))
	}
	return owed[0]
}

func (h *house) claim(t tb, task dispatcher.Task) store.Claim {
	t.Helper()
	c, err := h.Claim(t.Context(), task, lease)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claimed is a claim that must succeed.
func (h *house) claimed(t tb, task dispatcher.Task) store.Held {
	t.Helper()
	c := h.claim(t, task)
	if c.State != store.Claimed {
		t.Fatalf("claim of %s: %s", task.DeliveryID, c.State)
	}
	return c.Held
}

var (
	delivered = dispatcher.Verdict{Outcome: dispatcher.Delivered}
	retried   = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: dispatcher.ReasonStatus5xx, Ladder: dispatcher.LadderFull}
	givenUp   = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: dispatcher.ReasonAborted, Ladder: dispatcher.LadderNone}
)

// attempt is the Move that a worker makes of a verdict.
func (h *house) attempt(held store.Held, v dispatcher.Verdict) store.Move {
	now := h.clock.Now()
	code := 200
	if v.Outcome == dispatcher.Failed {
		code = 503
	}
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(now, held.Ref().Shard()), Number: held.Attempts + 1, Trigger: held.NextTrigger, At: now,
		Method: "POST", URL: "https://erp.example.com/hook", StatusCode: code, Body: []byte("the answer"),
		Header: map[string]string{"Content-Type": "text/plain"}, Duration: 12 * time.Millisecond, RemoteAddress: "192.0.2.1:443",
		Sent: dispatcher.SentYes, Outcome: v.Outcome, Reason: v.Reason,
	}
	to := dispatcher.Advance(held.Delivery, dispatcher.Retry{}, v, a, now, 0)
	a.WillRetry, a.NextAttemptAt = !to.Status.Terminal(), to.NextAttemptAt
	return store.Move{From: held, To: to, Attempt: &a}
}

func (h *house) record(t tb, m store.Move) store.Moved {
	t.Helper()
	moved, err := h.Record(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// deliver claims a delivery and records the verdict over its attempt.
func (h *house) deliver(t tb, task dispatcher.Task, v dispatcher.Verdict) (store.Moved, dispatcher.Attempt) {
	t.Helper()
	m := h.attempt(h.claimed(t, task), v)
	return h.record(t, m), *m.Attempt
}

// read is one delivery that must be there.
func (h *house) read(t tb, id string) store.Held {
	t.Helper()
	held, err := h.Read(t.Context(), id)
	if err != nil || len(held) != 1 {
		t.Fatalf("Read(%s) = %d deliveries, %v", id, len(held), err)
	}
	return held[0]
}

// again is a delivery as a manual retry wants it.
func again(d dispatcher.Delivery, now time.Time) dispatcher.Delivery {
	d.Generation++
	d.NextTrigger, d.NextAttemptAt = dispatcher.TriggerManual, now
	if d.Status.Terminal() {
		d.Status, d.Lone, d.SettledAt = dispatcher.StatusPending, true, time.Time{}
	}
	return d
}
