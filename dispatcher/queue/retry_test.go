package queue_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// What was owed to a notification is not owed to another one that was registered under its id: nothing would be sent, and
// so nothing may be promised.
func TestNoManualRetryToAnotherRegistration(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) { w.WriteHeader(http.StatusBadRequest) })
		mine := func(n *dispatcher.Notification) { n.ID, n.Retry.MaxAttempts = "mine", 1 }
		n := h.register(r.URL, mine)
		id := h.change("completed")[0].ID
		_, attempts := h.await(id, dispatcher.StatusFailed)
		event := attempts[0].ID.String()
		refused := func(what string) {
			t.Helper()
			if done, err := h.producer.Retry(t.Context(), "acme", event, false); !errors.Is(err, dispatcher.ErrNotOpen) {
				t.Errorf("%s: %+v, %v", what, done, err)
			}
			if _, all := h.await(id, dispatcher.StatusFailed); len(all) != 2 {
				t.Errorf("%s: %d Events", what, len(all))
			}
		}
		// Replaced it is the same still.
		h.register(r.URL, func(again *dispatcher.Notification) {
			mine(again)
			again.Created, again.Description = n.Created, "anew"
		})
		if _, err := h.producer.Retry(t.Context(), "acme", event, false); err != nil {
			t.Fatal(err)
		}
		h.until(func() bool { return len(eventsNow(h, id)) == 2 }, func() string { return "the retry is not recorded" })
		h.await(id, dispatcher.StatusFailed)
		err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Remove: []string{n.ID}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refused("removed")
		h.clock.advance(time.Second)
		h.register(r.URL, mine)
		refused("registered anew")
	})
}

func TestManualRetryTakesThePlaceOfTheAutomatic(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, failFirst(1))
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
		})
		id := h.change("completed")[0].ID
		_, attempts := h.await(id, dispatcher.StatusRetrying)
		// Asynq has it as a retry a moment after we have recorded so.
		h.until(func() bool { return queueInfo(t, rdb).Retry == 1 }, func() string { return "Asynq does not retry" })
		done, err := h.producer.Retry(t.Context(), "acme", attempts[0].ID.String(), false)
		if err != nil || done.DeliveryID != id || done.Attempt != 2 {
			t.Fatal(done, err)
		}
		_, attempts = h.await(id, dispatcher.StatusDelivered)
		if len(attempts) != 2 || attempts[1].Trigger != dispatcher.TriggerManual {
			t.Errorf("events %+v", attempts)
		}
		info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo(queue.Name)
		if err != nil || info.Retry != 0 {
			t.Errorf("%d automatic retries are left beside it (%v)", info.Retry, err)
		}
		got := r.seen()
		if len(got) != 2 || got[0].body != got[1].body || got[1].header.Get("Webhook-Id") != id {
			t.Errorf("received %d", len(got))
		}
	})
}

func TestManualRetryOfSettled(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		var broken atomic.Bool
		broken.Store(true)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) {
			if broken.Load() {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		h.register(r.URL, func(n *dispatcher.Notification) { n.Retry = dispatcher.Retry{MaxAttempts: 1} })
		id := h.change("completed")[0].ID
		_, attempts := h.await(id, dispatcher.StatusFailed)
		event := attempts[0].ID.String()

		if _, err := h.producer.Retry(t.Context(), "other", event, false); !errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("another merchant's event: %v", err)
		}
		retry := func(force bool, want int) {
			t.Helper()
			if _, err := h.producer.Retry(t.Context(), "acme", event, force); err != nil {
				t.Fatal(err)
			}
			h.until(func() bool { return len(eventsNow(h, id)) == want }, func() string { return "the retry is not recorded" })
		}
		retry(false, 2) // still broken: one attempt, not a ladder
		h.await(id, dispatcher.StatusFailed)
		broken.Store(false)
		retry(false, 3)
		h.await(id, dispatcher.StatusDelivered)
		if _, err := h.producer.Retry(t.Context(), "acme", event, false); !errors.Is(err, dispatcher.ErrDelivered) {
			t.Errorf("retry of a delivered one without force: %v", err)
		}
		broken.Store(true)
		retry(true, 4) // a forced one that fails does not undo the delivery
		h.await(id, dispatcher.StatusDelivered)
	})
}
