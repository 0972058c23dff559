package store_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

func TestIdempotencyAnswers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		begin := func(merchant, key, fingerprint string) *store.Answer {
			t.Helper()
			earlier, err := h.BeginAnswer(t.Context(), merchant, key, fingerprint)
			if err != nil {
				t.Fatal(err)
			}
			return earlier
		}
		ttl := func(low, high time.Duration) {
			t.Helper()
			keys, err := h.plain.Keys(t.Context(), "*:i:acme:*").Result()
			if err != nil || len(keys) != 1 {
				t.Fatalf("keys %v, %v", keys, err)
			}
			if left := h.plain.PTTL(t.Context(), keys[0]).Val(); left < low || left > high {
				t.Errorf("expires in %s, want %s to %s", left, low, high)
			}
		}
		if earlier := begin("acme", "key", "print"); earlier != nil {
			t.Fatalf("the first request finds %+v", earlier)
		}
		ttl(20*time.Second, 30*time.Second)
		if earlier := begin("acme", "key", "another"); earlier == nil || !earlier.Pending() || earlier.Fingerprint != "print" {
			t.Errorf("the second request finds %+v", earlier)
		}
		if earlier := begin("other", "key", "print"); earlier != nil {
			t.Errorf("another merchant finds %+v", earlier)
		}
		want := store.Answer{Fingerprint: "print", Status: 201, Header: map[string]string{"Etag": `"1"`}, Body: []byte("{\"a\":\"<&>\xff\"}")}
		if err := h.KeepAnswer(t.Context(), "acme", "key", want); err != nil {
			t.Fatal(err)
		}
		ttl(24*time.Hour-time.Minute, 24*time.Hour)
		if earlier := begin("acme", "key", "print"); earlier == nil || earlier.Pending() || !reflect.DeepEqual(*earlier, want) {
			t.Errorf("replayed: %+v, want %+v", earlier, want)
		}
		ttl(24*time.Hour-time.Minute, 24*time.Hour) // a replay does not begin the time anew, nor cut it to that of a pending one
		if err := h.DropAnswer(t.Context(), "acme", "key"); err != nil {
			t.Fatal(err)
		}
		if earlier := begin("acme", "key", "print"); earlier != nil {
			t.Errorf("after it was dropped: %+v", earlier)
		}
	})
}

// The request whose key was taken by a SETNX that go-redis sent twice, because the first answer was lost, is the first.
func TestTheFirstRequestIsNotItsOwnEarlierOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		mine := newHouse(t, h.plain, setTwice{})
		defer func() { _ = mine.rdb.Close() }()
		if earlier, err := mine.BeginAnswer(t.Context(), "acme", "key", "print"); earlier != nil || err != nil {
			t.Errorf("the first request finds %+v, %v", earlier, err)
		}
		if earlier, err := mine.BeginAnswer(t.Context(), "acme", "key", "print"); err != nil || earlier == nil || !earlier.Pending() {
			t.Errorf("the second request, with the same content, finds %+v, %v", earlier, err)
		}
	})
}

// setTwice runs every SET twice, as go-redis does when the answer to the first was lost.
type setTwice struct{ through }

func (setTwice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && strings.HasPrefix(cmd.Name(), "set") {
			err = next(ctx, cmd)
		}
		return err
	}
}

// closedPort is an address of this machine where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestRedisThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	there := newHouse(t, storetest.Mini(t))
	defer func() { _ = there.rdb.Close() }()
	d := there.one(t, order("1"), "strict")
	state := there.load(t, order("1"))
	held := there.claimed(t, d.Task())
	move := there.attempt(held, delivered)

	rdb := redis.NewClient(&redis.Options{Addr: closedPort(t), MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	defer func() { _ = rdb.Close() }()
	h := newHouse(t, rdb)
	defer func() { _ = h.rdb.Close() }()
	q := store.Query{Merchant: "acme", Limit: 1}
	counted, named := q, q
	counted.StatusCode = "2xx"
	named.DeliveryID = d.ID
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"Ping":             func() error { return h.Ping(ctx) },
		"Load":             func() error { _, err := h.Load(ctx, order("1")); return err },
		"Commit":           func() error { _, err := h.Commit(ctx, there.planned(t, state, status("paid"))); return err },
		"StopNotification": func() error { return h.StopNotification(ctx, order("1"), dispatcher.Notification{ID: "n1"}) },
		"KeepConsent": func() error {
			return h.KeepConsent(ctx, order("1"), dispatcher.Notification{ID: "n1"}, dispatcher.Consent{To: "x"})
		},
		"Claim":               func() error { _, err := h.Claim(ctx, d.Task(), lease); return err },
		"Renew":               func() error { return h.Renew(ctx, lease, d.ID) },
		"Record":              func() error { _, err := h.Record(ctx, move); return err },
		"Settle":              func() error { _, err := h.Settle(ctx, held, "cancelled", "cancelled"); return err },
		"Reopen":              func() error { return h.Reopen(ctx, held, again(held.Delivery, began)) },
		"Read":                func() error { _, err := h.Read(ctx, d.ID); return err },
		"Delivery":            func() error { _, _, err := h.Delivery(ctx, "acme", d.ID); return err },
		"LaneBetween":         func() error { _, err := h.LaneBetween(ctx, order("1"), "n1"); return err },
		"OpenDeliveries":      func() error { _, err := h.OpenDeliveries(ctx, order("1")); return err },
		"Waits":               func() error { _, err := h.Waits(ctx, d); return err },
		"Overdue":             func() error { _, err := h.Overdue(ctx, 1); return err },
		"NextDue":             func() error { _, err := h.NextDue(ctx); return err },
		"Defer":               func() error { return h.Defer(ctx, d.ID, began) },
		"Forget":              func() error { return h.Forget(ctx, d.ID) },
		"Backlog":             func() error { _, _, err := h.Backlog(ctx); return err },
		"Event":               func() error { _, _, err := h.Event(ctx, "acme", move.Attempt.ID.String()); return err },
		"Events":              func() error { _, err := h.Events(ctx, q); return err },
		"Events of one":       func() error { _, err := h.Events(ctx, named); return err },
		"CountEvents":         func() error { _, _, err := h.CountEvents(ctx, q, 0); return err },
		"CountEvents, looks":  func() error { _, _, err := h.CountEvents(ctx, counted, 0); return err },
		"DeleteOrder":         func() error { return h.DeleteOrder(ctx, state) },
		"Erase":               func() error { _, err := h.Erase(ctx); return err },
		"Trim":                func() error { _, err := h.Trim(ctx); return err },
		"Warnings":            func() error { _, err := h.Warnings(ctx); return err },
		"BeginAnswer":         func() error { _, err := h.BeginAnswer(ctx, "acme", "key", "print"); return err },
		"KeepAnswer":          func() error { return h.KeepAnswer(ctx, "acme", "key", store.Answer{}) },
		"DropAnswer":          func() error { return h.DropAnswer(ctx, "acme", "key") },
		"PutConfiguration":    func() error { _, err := h.PutConfiguration(ctx, "acme", "web", dispatcher.Configuration{}); return err },
		"Configuration":       func() error { _, err := h.Configuration(ctx, "acme", "web", "erp"); return err },
		"Configurations":      func() error { _, err := h.Configurations(ctx, "acme", "web"); return err },
		"DeleteConfiguration": func() error { return h.DeleteConfiguration(ctx, "acme", "web", "erp") },
	} {
		err := ask()
		if !errors.Is(err, dispatcher.ErrUnavailable) || errors.Is(err, dispatcher.ErrNotFound) || errors.Is(err, dispatcher.ErrConflict) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
	}
}

// A context that ends is no answer either.
func TestEndedContextIsUnavailable(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), "strict")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := h.Delivery(ctx, "acme", d.ID); !errors.Is(err, dispatcher.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want ErrUnavailable that says why", err)
		}
	})
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	private := storetest.Private(t)
	rdb := redis.NewClient(private.Options().Simple())
	defer func() { _ = rdb.Close() }()
	h := newHouse(t, rdb)
	defer func() { _ = h.rdb.Close() }()
	for _, c := range []struct {
		set  [2]string
		want []string // what the warnings speak of, in their order
	}{
		{[2]string{"appendonly", "yes"}, nil},
		{[2]string{"appendonly", "no"}, []string{"appendonly no"}},
		{[2]string{"maxmemory-policy", "allkeys-lru"}, []string{"appendonly no", "allkeys-lru"}},
		{[2]string{"appendonly", "yes"}, []string{"allkeys-lru"}},
		{[2]string{"maxmemory-policy", "volatile-ttl"}, []string{"volatile-ttl"}}, // records expire: these may go, too, before their time
		{[2]string{"maxmemory-policy", "noeviction"}, nil},
	} {
		if err := rdb.ConfigSet(t.Context(), c.set[0], c.set[1]).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := h.Warnings(t.Context())
		speaks := slices.EqualFunc(got, c.want, func(text, of string) bool { return strings.Contains(text, of) })
		if err != nil || !speaks {
			t.Errorf("after %v: %q, %v; want %q", c.set, got, err, c.want)
		}
	}
}

// Memory that nothing survives must be told of.
func TestWarningsOfMiniredis(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.Mini(t))
	defer func() { _ = h.rdb.Close() }()
	if got, err := h.Warnings(t.Context()); err != nil || len(got) == 0 {
		t.Errorf("%q, %v; want a warning", got, err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	sealer, err := store.NewSealer(bytes.Repeat([]byte{1}, store.SealingKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(store.Config{Redis: rdb, Sealer: sealer})
	h := &house{rdb: rdb, plain: rdb, clock: &clock{now: time.Now()}, Store: s}
	h.deliver(t, h.one(t, order("1"), "strict").Task(), delivered)
	for key := range dump(t, rdb) {
		if strings.Contains(key, "}:d:") {
			if ttl := rdb.PTTL(t.Context(), key).Val(); ttl > store.DefaultRetention || ttl < store.DefaultRetention-time.Hour {
				t.Errorf("%s expires in %s", key, ttl)
			}
		}
	}
}
