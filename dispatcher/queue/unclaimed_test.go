package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// next is the id of the delivery whose task is dequeued next.
func (h *house) next() string {
	h.t.Helper()
	task, err := h.rdb.LIndex(h.t.Context(), "asynq:{"+queue.Name+"}:pending", -1).Result()
	h.must(err)
	id, _, _ := strings.Cut(task, ":")
	return id
}

// What a killed worker had dequeued out of a backlog, and not claimed, is found though the sweep had put it off when it saw it queued;
// and it does not wait behind the backlog again.
func TestDequeuedOutOfABacklogByTheKilled(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		f := newFetching(t, rdb)
		r := newReceiver(t, nil)
		ids := h.owe("acme", r.URL, 3)
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 0 {
			t.Fatalf("the sweep enqueued %d of what waits in the queue", n)
		}
		f.take(f.rdb)
		h.clock.advance(time.Second) // nothing is overdue: all have been put off
		if n := h.sweep(); n != 0 {
			t.Errorf("%d enqueued anew that may have been dequeued just now", n)
		}
		h.clock.advance(time.Second)
		if n := h.sweep(); n != 0 {
			t.Errorf("%d enqueued anew a second after they were seen active", n)
		}
		h.clock.advance(4 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Errorf("the sweep enqueued %d, not the one that nobody claims", n)
		}
		if next := h.next(); next != ids[0] {
			t.Errorf("the next is %s: it waits behind the backlog", next)
		}
		h.clock.advance(8 * time.Second)
		if n := h.sweep(); n != 0 {
			t.Errorf("%d more, though it waits under another generation now", n)
		}
		h.worker(t)
		for _, id := range ids {
			h.await(id, dispatcher.StatusDelivered)
		}
		if n := len(r.seen()); n != len(ids) {
			t.Errorf("%d deliveries made %d requests", len(ids), n)
		}
	})
}

// Tasks may be active for long: while an attempt lasts, while a lane is drained whose first is settled, and when Redis was away
// before the end of a task could be written.
func TestActiveForGoodReason(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		f := newFetching(t, rdb)
		ids := h.owe("acme", "http://127.0.0.1:1/", 3)
		held, err := h.store.Read(t.Context(), ids...)
		h.must(err)
		for _, d := range held {
			f.take(f.rdb)
			c, err := h.store.Claim(t.Context(), d.Task(), queue.Lease)
			if err != nil || c.State != store.Claimed {
				t.Fatal(c.State, err)
			}
			switch d.ID {
			case ids[1]:
				_, err = h.store.Settle(t.Context(), c.Held, dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
			case ids[2]: // to be tried again later
				to := c.Held.Delivery
				to.Status, to.ClaimedAt, to.NextAttemptAt = dispatcher.StatusRetrying, time.Time{}, h.clock.now().Add(time.Minute)
				_, err = h.store.Record(t.Context(), store.Move{From: c.Held, To: to})
			}
			h.must(err)
		}
		for range 3 {
			if n := h.sweep(); n != 0 {
				t.Errorf("%d enqueued anew", n)
			}
			h.clock.advance(3 * time.Second)
		}
	})
}

// What a killed worker had in flight is sent again before all that waits.
func TestLostInFlightIsNext(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		ids := h.owe("acme", "http://127.0.0.1:1/", 3)
		held, err := h.store.Read(t.Context(), ids[1])
		h.must(err)
		if c, err := h.store.Claim(t.Context(), held[0].Task(), queue.Lease); err != nil || c.State != store.Claimed {
			t.Fatal(c.State, err)
		}
		h.clock.advance(queue.Lease + time.Second)
		if n := h.sweep(); n != 1 {
			t.Fatalf("the sweep enqueued %d", n)
		}
		if next := h.next(); next != ids[1] {
			t.Errorf("the next is %s, and not the lost %s", next, ids[1])
		}
		// It came later than those behind it, which have not lost their place for that.
		since, err := rdb.HExists(t.Context(), "asynq:{"+queue.Name+"}:t:"+ids[1]+":2", "pending_since").Result()
		if h.must(err); since {
			t.Error("it tells since when it waits")
		}
	})
}
