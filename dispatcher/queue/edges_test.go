package queue_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// An attempt was recorded, its retry is due in an hour, and Asynq runs the task again at once (its worker died before
// Asynq's own record, and the recoverer found the task): it must not be sent before its time.
func TestNotBeforeItsTime(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, status(http.StatusServiceUnavailable))
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
		})
		d := h.change("s1")[0]
		h.await(d.ID, dispatcher.StatusRetrying)
		h.until(func() bool { return queueInfo(t, rdb).Retry == 1 }, func() string { return "Asynq does not retry" })
		before := h.headOf(d.ID)
		keys, err := rdb.Keys(t.Context(), "asynq:{"+queue.Name+"}:t:*").Result()
		if err != nil || len(keys) != 1 {
			t.Fatal(keys, err)
		}
		if err := rdb.Del(t.Context(), keys[0], "asynq:{"+queue.Name+"}:retry").Err(); err != nil {
			t.Fatal(err)
		}
		h.producer.Enqueue(t.Context(), d.Task())
		h.until(func() bool { return h.headOf(d.ID) != before && queueInfo(t, rdb).Retry == 1 },
			func() string { return "the task was not claimed and put back: " + h.headOf(d.ID) })
		if n := len(r.seen()); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

// One record that cannot be read (written by a newer version) must not keep the sweep from all others.
func TestSweepGoesOnPastWhatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingNone })
		bad, good := h.commitOnly("s1")[0], h.commitOnly("s2")[0]
		if err := rdb.Set(t.Context(), fmt.Sprintf("td{s%d}:d:%s", h.ref.Shard(), bad.ID), "000001000001?0000000000000{}", 0).Err(); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(6 * time.Second)
		n, err := h.sweeper.Sweep(t.Context())
		var unreadable *store.UnreadableError
		if n != 1 || !errors.As(err, &unreadable) {
			t.Fatalf("swept %d, %v", n, err)
		}
		h.await(good.ID, dispatcher.StatusDelivered)
		if a, err := h.store.Audit(t.Context()); err != nil || a.Orphaned != 1 || a.Orphans[0].Finding != "unreadable" {
			t.Errorf("audit %+v, %v", a, err)
		}
	})
}

// Nor must it keep others in its lane from being superseded.
func TestSupersedeGoesOnPastWhatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		h.register("http://127.0.0.1:1/", func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingLatest })
		h.change("head")
		bad, old := h.commitOnly("s1")[0], h.commitOnly("s2")[0]
		if err := rdb.SetRange(t.Context(), fmt.Sprintf("td{s%d}:d:%s", h.ref.Shard(), bad.ID), 26, "?").Err(); err != nil {
			t.Fatal(err)
		}
		h.change("newest")
		h.await(old.ID, dispatcher.StatusSuperseded)
	})
}

// Removed while an attempt is in flight that fails: the delivery is cancelled at once, not at its next attempt.
func TestRemovedInFlight(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		begun, end := make(chan struct{}), make(chan struct{})
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) {
			close(begun)
			<-end
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		n := h.register(r.URL, nil)
		d := h.change("s1")[0]
		<-begun
		err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Remove: []string{n.ID}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		close(end)
		h.await(d.ID, dispatcher.StatusCancelled)
	})
}

// A registration under the same id is another one: what was owed to the first does not go to it.
func TestRegisteredAnewUnderTheSameID(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		old := h.register(r.URL+"/old", func(n *dispatcher.Notification) { n.ID = "erp" })
		d := h.commitOnly("s1")[0]
		if err := h.producer.DeleteOrder(t.Context(), h.ref, anyOrder); err != nil {
			t.Fatal(err)
		}
		h.await(d.ID, dispatcher.StatusCancelled)
		h.clock.advance(time.Second)
		again := h.register(r.URL+"/new", func(n *dispatcher.Notification) { n.ID = "erp" })
		if again.Created.Equal(old.Created) {
			t.Fatal("the same time: nothing is tested")
		}
		if ok, err := h.store.Registered(t.Context(), d); err != nil || ok {
			t.Errorf("the delivery is taken for the new registration's (%v)", err)
		}
		fresh := h.change("s2")[0]
		if ok, err := h.store.Registered(t.Context(), fresh); err != nil || !ok {
			t.Errorf("the new registration's own is not (%v)", err)
		}
		h.worker(t)
		h.await(fresh.ID, dispatcher.StatusDelivered)
		for _, p := range r.seen() {
			if p.path != "/new" || p.status != "s2" {
				t.Errorf("%s got %s", p.path, p.status)
			}
		}
	})
}

// A target that shows the URL which called it must not carry the token in its query into the Event.
func TestEchoOfTheURLIsScrubbed(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, p post) { _, _ = w.Write([]byte("called " + p.path)) })
		h.register(r.URL+"/in?token=url%20secret&x=1", nil)
		d := h.change("s1")[0]
		_, attempts := h.await(d.ID, dispatcher.StatusDelivered)
		if body := string(attempts[0].Body); strings.Contains(body, "secret") || !strings.Contains(body, "/in?token=") {
			t.Errorf("kept %q", body)
		}
	})
}

// A worker whose lease ran out while its target answered, after another had tried in vain: the delivery was delivered.
func TestLateSuccessSettles(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		begun, end := make(chan struct{}), make(chan struct{})
		r := newReceiver(t, func(n int, w http.ResponseWriter, _ post) {
			if n == 1 {
				close(begun)
				<-end
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
		})
		d := h.change("s1")[0]
		<-begun
		h.clock.advance(queue.Lease + time.Second) // the first worker is cut off from Redis: nobody renews
		if n := h.sweep(); n != 1 {
			t.Fatalf("swept %d", n)
		}
		h.await(d.ID, dispatcher.StatusRetrying)
		h.until(func() bool { return len(eventsNow(h, d.ID)) == 2 }, func() string { return "the second attempt is not recorded" })
		close(end)
		_, attempts := h.await(d.ID, dispatcher.StatusDelivered)
		if len(attempts) != 3 || len(r.seen()) != 2 {
			t.Errorf("%d events, %d requests; want 3 (one interrupted) and 2", len(attempts), len(r.seen()))
		}
	})
}

// What came of a forced retry of a delivered one takes nothing away from that it was delivered.
func TestForcedRetryThenRemoved(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		n := h.register(r.URL, nil)
		d := h.change("s1")[0]
		_, attempts := h.await(d.ID, dispatcher.StatusDelivered)
		state, err := h.store.Load(t.Context(), h.ref)
		if err != nil {
			t.Fatal(err)
		}
		held, err := h.store.Read(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		to := held[0].Delivery
		to.Status, to.Lone, to.Generation, to.NextTrigger = dispatcher.StatusPending, true, 2, dispatcher.TriggerManual
		if err := h.store.Reopen(t.Context(), held[0], to); err != nil { // the retry is not enqueued yet
			t.Fatal(err)
		}
		if _, err := h.store.Commit(t.Context(), store.Commit{State: state, Remove: []string{n.ID}}); err != nil {
			t.Fatal(err)
		}
		h.producer.Enqueue(t.Context(), to.Task())
		h.until(func() bool { return len(eventsNow(h, d.ID)) == 2 }, func() string { return "the retry is not settled" })
		if held, _ := h.await(d.ID, dispatcher.StatusDelivered); held.Reason != dispatcher.ReasonCancelled {
			t.Errorf("reason %s after %d events", held.Reason, len(attempts))
		}
	})
}
