package queue_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

func TestCrashBetweenCommitAndEnqueue(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		id := h.commitOnly("completed")[0].ID
		if n := h.sweep(); n != 0 {
			t.Fatalf("swept %d before anything was overdue", n)
		}
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Fatalf("swept %d, want 1", n)
		}
		h.await(id, dispatcher.StatusDelivered)
		if len(r.seen()) != 1 {
			t.Errorf("%d requests", len(r.seen()))
		}
	})
}

func TestWorkerKilledInFlight(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		// The killed worker: it has claimed, perhaps sent, and recorded nothing.
		if c, err := h.store.Claim(t.Context(), d.Task(), queue.Lease); err != nil || c.State != "ok" {
			t.Fatal(c.State, err)
		}
		h.clock.advance(queue.Lease - time.Second)
		if n := h.sweep(); n != 0 {
			t.Fatal("swept although the lease holds")
		}
		h.clock.advance(2 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Fatalf("swept %d, want 1", n)
		}
		h.worker(t)
		held, attempts := h.await(d.ID, dispatcher.StatusDelivered)
		if len(attempts) != 2 || attempts[0].Reason != dispatcher.ReasonInterrupted || attempts[0].Sent != dispatcher.SentUnknown {
			t.Errorf("events %+v", attempts)
		}
		if held.Attempts != 2 || held.Counted != 1 {
			t.Errorf("%d attempts, %d counted: a fault of ours must not burn the receiver's", held.Attempts, held.Counted)
		}
		if got := r.seen(); len(got) != 1 || got[0].header.Get("Webhook-Id") != d.ID || got[0].header.Get("X-Tidings-Attempt") != "2" {
			t.Errorf("received %+v", got)
		}
	})
}

// A process that starts just after Redis was away finds leases run out of attempts that are still under way elsewhere: nobody
// could renew them. It leaves them to those who hold them until they have had the time to; what is not in flight it mends at once.
func TestSweeperThatStartsAfterAnOutage(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		ids := h.owe("acme", "http://127.0.0.1:1/", 2)
		held, err := h.store.Read(t.Context(), ids...)
		h.must(err)
		for _, d := range held {
			if c, err := h.store.Claim(t.Context(), d.Task(), queue.Lease); err != nil || c.State != store.Claimed {
				t.Fatal(c.State, err)
			}
		}
		alive, killed := held[0], held[1]
		h.register("http://127.0.0.1:1/", nil)
		h.commitOnly("completed")
		h.clock.advance(queue.Lease + time.Second) // Redis is away
		h.sweeper = h.newSweeper()
		if n := h.sweep(); n != 1 {
			t.Errorf("the first sweep enqueued %d, not only what is not in flight", n)
		}
		h.clock.advance(queue.LeaseRenewal - time.Second)
		if n := h.sweep(); n != 0 {
			t.Errorf("%d sent again before anybody has had the time to renew", n)
		}
		h.must(h.store.Renew(t.Context(), queue.Lease, alive.ID))
		h.clock.advance(queue.LeaseRenewal) // 5 s after the start: soon enough for the promised 15
		if n := h.sweep(); n != 1 {
			t.Errorf("enqueued %d, not the one that was lost", n)
		}
		for was, raised := range map[*store.Held]int{&alive: 0, &killed: 1} {
			held, err := h.store.Read(t.Context(), was.ID)
			h.must(err)
			if got := held[0].Generation - was.Generation; got != raised {
				t.Errorf("%s was reopened %d times, want %d", was.OrderID, got, raised)
			}
		}
	})
}

// overtaken lets something happen before the next script is sent.
type overtaken struct {
	through
	armed atomic.Bool
	by    func()
}

func (o *overtaken) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" && o.armed.CompareAndSwap(true, false) {
			o.by()
		}
		return next(ctx, cmd)
	}
}

// Of two sweeps that find the same lost attempt one tells of it; so it is when a worker is quicker, whose claim tells him.
func TestALostAttemptIsToldOnce(t *testing.T) {
	for name, quicker := range map[string]func(*house, *queue.Sweeper, dispatcher.Delivery){
		"another sweep": func(h *house, other *queue.Sweeper, _ dispatcher.Delivery) { h.sweepBy(other) },
		"a worker": func(h *house, _ *queue.Sweeper, d dispatcher.Delivery) {
			h.worker(h.t)
			h.await(d.ID, dispatcher.StatusDelivered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, rdb *redis.Client) {
				h := newHouse(t, rdb, 0)
				other := h.newSweeper() // both live for longer than the lease
				h.register(newReceiver(t, nil).URL, nil)
				d := h.change("completed")[0]
				if c, err := h.store.Claim(t.Context(), d.Task(), queue.Lease); err != nil || c.State != store.Claimed {
					t.Fatal(c.State, err)
				}
				h.clock.advance(queue.Lease + time.Second)
				meet := &overtaken{by: func() { quicker(h, other, d) }}
				h.rdb.AddHook(meet)
				meet.armed.Store(true)
				h.sweep()
				if meet.armed.Load() {
					t.Fatal("the sweep wrote nothing")
				}
				held, attempts, err := h.store.Delivery(t.Context(), d.Merchant, d.ID)
				h.must(err)
				lost := 0
				for _, a := range attempts {
					if a.Reason == dispatcher.ReasonInterrupted {
						lost++
					}
				}
				if lost != 1 || held.Attempts != len(attempts) {
					t.Errorf("%d attempts counted, %d told, %d of them lost", held.Attempts, len(attempts), lost)
				}
			})
		})
	}
}

func TestAsynqKeyspaceLost(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		keys, err := rdb.Keys(t.Context(), "asynq:*").Result()
		if err != nil || len(keys) == 0 {
			t.Fatal(keys, err)
		}
		if err := rdb.Del(t.Context(), keys...).Err(); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Fatalf("swept %d, want 1", n)
		}
		h.worker(t)
		h.await(d.ID, dispatcher.StatusDelivered)
	})
}

func TestSweepLeavesWhatIsQueued(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0) // nobody works: a backlog
		h.register("http://127.0.0.1:1/", nil)
		d := h.change("completed")[0]
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 0 {
			t.Fatal("enqueued again what waits in the queue")
		}
		if _, overdue, err := h.store.Backlog(t.Context()); err != nil || overdue != 0 {
			t.Fatalf("%d still overdue (%v): every sweep would look at it again", overdue, err)
		}
		held, err := h.store.Read(t.Context(), d.ID)
		if err != nil || held[0].Generation != 1 {
			t.Errorf("generation %d, %v", held[0].Generation, err)
		}
		keys, err := rdb.Keys(t.Context(), "asynq:*").Result()
		h.must(err)
		h.must(rdb.Del(t.Context(), keys...).Err())
		h.clock.advance(16 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Errorf("the sweep enqueued %d of one that was lost after it had seen it queued", n)
		}
	})
}

func TestStaleGenerationDropsItself(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.commitOnly("completed")[0]
		h.clock.advance(6 * time.Second)
		h.sweep()                                 // enqueues generation 2
		h.producer.Enqueue(t.Context(), d.Task()) // the first enqueue, late
		h.worker(t)
		h.await(d.ID, dispatcher.StatusDelivered)
		h.until(func() bool {
			info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo(queue.Name)
			return err == nil && info.Size == 0
		}, func() string { return "tasks are left" })
		if len(r.seen()) != 1 {
			t.Errorf("%d requests, want 1", len(r.seen()))
		}
	})
}

func TestTwoSweepsSendOnce(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.commitOnly("completed")[0]
		h.clock.advance(6 * time.Second)
		done := make(chan error, 4)
		for range cap(done) {
			sweeper := h.newSweeper() // of another process
			go func() { _, err := sweeper.Sweep(context.WithoutCancel(t.Context())); done <- err }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.await(d.ID, dispatcher.StatusDelivered)
		if len(r.seen()) != 1 {
			t.Errorf("%d requests, want 1", len(r.seen()))
		}
	})
}

// recordFails is a Redis that is away whenever an attempt is to be recorded.
type recordFails struct {
	through
	left atomic.Int32 // records that still fail
}

func (f *recordFails) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		// The record script is the one that is given indexes.
		if cmd.Name() == "evalsha" && slices.ContainsFunc(cmd.Args(), func(a any) bool {
			s, ok := a.(string)
			return ok && strings.Contains(s, "}:x:")
		}) && f.left.Add(-1) >= 0 {
			cmd.SetErr(errors.New("redis is away"))
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func TestSentButNotRecordedIsNotSentAgain(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		away := &recordFails{}
		away.left.Store(4)
		rdb.AddHook(away)
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		_, attempts := h.await(d.ID, dispatcher.StatusDelivered)
		if away.left.Load() >= 0 {
			t.Fatal("no record failed: nothing was tested")
		}
		if len(r.seen()) != 1 || len(attempts) != 1 {
			t.Errorf("%d requests, %d events; want 1 of each", len(r.seen()), len(attempts))
		}
	})
}

func eventsNow(h *house, id string) []dispatcher.Attempt {
	h.t.Helper()
	_, attempts, err := h.store.Delivery(h.t.Context(), "acme", id)
	if err != nil {
		h.t.Fatal(err)
	}
	return attempts
}

func TestDeletedOrderIsErased(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) {
			w.WriteHeader(503)
			_, _ = w.Write([]byte("body of the answer"))
		})
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Retry = dispatcher.Retry{Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}, MaxAttempts: 2}
		})
		id := h.change("completed")[0].ID
		_, attempts := h.await(id, dispatcher.StatusRetrying)
		if err := h.producer.DeleteOrder(t.Context(), h.ref, anyOrder); err != nil {
			t.Fatal(err)
		}
		held, after := h.await(id, dispatcher.StatusCancelled)
		if len(after) != 2 || len(after[0].Body) != 0 || len(held.Evidence) != 0 {
			t.Errorf("kept %+v, evidence %v", after, held.Evidence)
		}
		if _, err := h.producer.Retry(t.Context(), "acme", attempts[0].ID.String(), true); !errors.Is(err, dispatcher.ErrPayloadGone) {
			t.Errorf("retry after deletion: %v", err)
		}
	})
}

// A notification that cannot be read (its sealing key is not configured) is a fault of ours: nothing was sent, so nothing
// may be told as sent, and the target's attempts are not burned.
func TestUnreadableNotificationIsNotAnAttempt(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		n := h.register("http://127.0.0.1:1/", nil)
		d := h.change("completed")[0]
		key := h.keyOf("n")
		if err := rdb.HSet(t.Context(), key, n.ID, "{}").Err(); err != nil {
			t.Fatal(err)
		}
		h.worker(t)
		h.until(func() bool { // claimed and released, again and again
			held, err := h.store.Read(t.Context(), d.ID)
			return err == nil && h.headOf(d.ID)[6:12] >= "000005" && held[0].ClaimedAt.IsZero()
		}, func() string { return "the delivery is not released: " + h.headOf(d.ID) })
		if events := eventsNow(h, d.ID); len(events) != 0 {
			t.Errorf("events %+v of attempts that were not made", events)
		}
	})
}
