package queue_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store"
)

// wellAudited sees that nothing is open and nothing orphaned.
func (h *house) wellAudited() {
	h.t.Helper()
	if a, err := h.store.Audit(h.t.Context()); err != nil || a.Orphaned != 0 || a.Open != 0 {
		h.t.Errorf("audit %+v, %v", a, err)
	}
}

// A test goes out though its lane is held up, is sealed as the rest, and is not repeated whatever it is answered.
func TestSampleIsSentOnce(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		secret := sign.GenerateSecret()
		for status, reason := range map[int]dispatcher.Reason{
			200: "", 410: dispatcher.ReasonGone, 503: dispatcher.ReasonStatus5xx,
		} {
			r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) { w.WriteHeader(status) })
			n := h.register(r.URL, func(n *dispatcher.Notification) {
				n.Signing, n.Secrets = dispatcher.SigningStandardWebhooks, []dispatcher.SigningSecret{{Secret: dispatcher.Secret(secret)}}
				n.Ordering = dispatcher.OrderingLatest
			})
			d, err := h.producer.Test(t.Context(), h.ref, n.ID)
			if err != nil {
				t.Fatal(err)
			}
			want := dispatcher.StatusFailed
			if reason == "" {
				want = dispatcher.StatusDelivered
			}
			held, attempts := h.await(d.ID, want)
			if held.Reason != reason || len(attempts) != 1 || attempts[0].Trigger != dispatcher.TriggerTest || attempts[0].WillRetry || !held.Test {
				t.Errorf("%d: %s, Events %+v", status, held.Reason, attempts)
			}
			p := r.seen()[0]
			if err := sign.VerifyStandardWebhooks(p.header, []byte(p.body), time.Now(), time.Minute, secret); err != nil {
				t.Error(err)
			}
			if p.status != "completed" || p.header.Get("X-Tidings-Test") != "true" || p.header.Get("X-Tidings-Scope") != "state.completed" {
				t.Errorf("received %v %s", p.header, p.body)
			}
			state, err := h.store.Load(t.Context(), h.ref)
			if err != nil || state.Order.Exists() {
				t.Errorf("a test made the order known: %+v, %v", state.Order, err)
			}
			if now, _ := state.Notification(n.ID); !now.Stopped.IsZero() {
				t.Errorf("%d stopped the notification", status)
			}
			if _, err := h.producer.Retry(t.Context(), "acme", attempts[0].ID.String(), true); !errors.Is(err, dispatcher.ErrNotOpen) {
				t.Errorf("a retry of a test: %v", err)
			}
		}
		h.wellAudited()
	})
}

func TestSampleIsTheOrderAsItStands(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		n := h.register(r.URL, func(n *dispatcher.Notification) { n.ExpiresAfter = dispatcher.Duration(time.Second) })
		h.await(h.change("accepted")[0].ID, dispatcher.StatusDelivered)
		h.await(h.change("paid")[0].ID, dispatcher.StatusDelivered)
		d, err := h.producer.Test(t.Context(), h.ref, n.ID)
		if err != nil {
			t.Fatal(err)
		}
		h.await(d.ID, dispatcher.StatusDelivered)
		p := r.seen()[2]
		if p.status != "paid" || p.header.Get("X-Tidings-Order-Version") != "2" || r.seen()[1].header.Get("X-Tidings-Test") != "" {
			t.Errorf("received %v %s", p.header, p.body)
		}
		stopped := n
		stopped.Stopped = h.clock.now()
		if err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Put: []dispatcher.Notification{stopped}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.producer.Test(t.Context(), h.ref, n.ID); !errors.Is(err, dispatcher.ErrStopped) {
			t.Errorf("a test of a stopped notification: %v", err)
		}
		if _, err := h.producer.Test(t.Context(), h.ref, "none"); !errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("a test of none: %v", err)
		}
	})
}

// What a kill between any two steps leaves: committed and not enqueued, it is sent; claimed and not recorded, it is told
// as interrupted and not sent again.
func TestSampleSurvivesKills(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		n := h.register(r.URL, nil)
		state, err := h.store.Load(t.Context(), h.ref)
		if err != nil {
			t.Fatal(err)
		}
		sample, unqueued := dispatcher.NewTest(state.Order, n, h.clock.now())
		if _, err := h.store.Commit(t.Context(), store.Commit{State: state, Sample: &sample, Deliveries: []dispatcher.Delivery{unqueued}}); err != nil {
			t.Fatal(err)
		}
		lost, err := h.producer.Test(t.Context(), h.ref, n.ID)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := h.store.Claim(t.Context(), lost.Task(), queue.Lease); err != nil || c.State != store.Claimed || c.Snapshot == nil {
			t.Fatal(c.State, err)
		}
		if a, err := h.store.Audit(t.Context()); err != nil || a.Orphaned != 0 || a.Open != 2 {
			t.Errorf("audit %+v, %v", a, err)
		}
		h.clock.advance(queue.Lease + time.Second)
		h.sweep()
		held, attempts := h.await(lost.ID, dispatcher.StatusFailed)
		if held.Reason != dispatcher.ReasonInterrupted || len(attempts) != 1 || attempts[0].Sent != dispatcher.SentUnknown || attempts[0].WillRetry {
			t.Errorf("%s, Events %+v", held.Reason, attempts)
		}
		h.worker(t)
		h.await(unqueued.ID, dispatcher.StatusDelivered)
		if got := r.seen(); len(got) != 1 || got[0].header.Get("Webhook-Id") != unqueued.ID {
			t.Errorf("%d requests", len(got))
		}
		h.wellAudited()
	})
}
