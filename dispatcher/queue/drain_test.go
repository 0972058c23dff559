package queue_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// backlog is a lane that has grown while nobody worked.
func (h *house) backlog(n int) (owed []dispatcher.Delivery, statuses []string) {
	h.t.Helper()
	for i := range n {
		statuses = append(statuses, fmt.Sprintf("s%03d", i))
		owed = append(owed, h.change(statuses[i])...)
	}
	return owed, statuses
}

// processed counts the tasks that Asynq has run to their end.
func (h *house) processed() (n int) {
	h.t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(h.rdb)
	for _, name := range []string{queue.Name, queue.BulkName} {
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			continue // nothing was ever enqueued there
		}
		n += info.ProcessedTotal
	}
	return n
}

func TestALongLaneIsDrainedInOrderByFewTasks(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		owed, want := h.backlog(40)
		h.worker(t)
		for _, d := range owed {
			if held, attempts := h.await(d.ID, dispatcher.StatusDelivered); held.Attempts != 1 || len(attempts) != 1 || held.Generation != 1 {
				t.Errorf("%d attempts, %d Events, generation %d; want one of each", held.Attempts, len(attempts), held.Generation)
			}
		}
		if got := r.statuses(); !slices.Equal(got, want) {
			t.Errorf("arrived %v", got)
		}
		// How many exactly is a matter of time: a drain is short.
		if n := h.processed(); n >= len(owed) {
			t.Errorf("%d tasks for %d deliveries", n, len(owed))
		}
	})
}

func TestARetryInTheMiddleOfALaneHoldsUpTheRest(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, func(n int, w http.ResponseWriter, _ post) {
			if n == 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		h.register(r.URL, quick)
		owed, want := h.backlog(6)
		h.worker(t)
		for i, d := range owed {
			_, attempts := h.await(d.ID, dispatcher.StatusDelivered)
			if i != 2 {
				continue
			}
			if len(attempts) != 2 || attempts[1].At.Before(attempts[0].NextAttemptAt) {
				t.Errorf("the one that failed: %+v", attempts)
			}
		}
		if got := r.statuses(); !slices.Equal(got, slices.Insert(slices.Clone(want), 3, want[2])) {
			t.Errorf("arrived %v", got)
		}
		if n := h.sweep(); n != 0 {
			t.Errorf("the sweep found %d", n)
		}
	})
}

func TestAReceiverThatIsGoneEndsTheLane(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, func(n int, w http.ResponseWriter, _ post) {
			if n == 2 {
				w.WriteHeader(http.StatusGone)
			}
		})
		h.register(r.URL, quick)
		owed, want := h.backlog(5)
		h.worker(t)
		h.await(owed[0].ID, dispatcher.StatusDelivered)
		h.await(owed[1].ID, dispatcher.StatusFailed)
		for _, d := range owed[2:] {
			h.await(d.ID, dispatcher.StatusCancelled)
		}
		if got := r.statuses(); !slices.Equal(got, want[:2]) {
			t.Errorf("arrived %v after 410", got)
		}
	})
}

// Wherever in the lane a worker is told to stop, another goes on there, at once and without the sweep.
func TestAStoppingWorkerLeavesTheRestOfALaneToOthers(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		begun, goOn := make(chan struct{}), make(chan struct{})
		r := newReceiver(t, func(n int, _ http.ResponseWriter, _ post) {
			if n == 2 {
				close(begun)
				<-goOn
			}
		})
		h.register(r.URL, nil)
		owed, want := h.backlog(5)
		t.Run("first worker", func(t *testing.T) {
			h.worker(t) // its cleanup stops it
			<-begun
			ended := make(chan struct{})
			t.Cleanup(func() { <-ended }) // runs before the worker's own
			go func() { defer close(ended); close(goOn) }()
		})
		h.worker(t)
		for _, d := range owed {
			if held, _ := h.await(d.ID, dispatcher.StatusDelivered); held.Attempts != 1 {
				t.Errorf("%d attempts", held.Attempts)
			}
		}
		if got := r.statuses(); !slices.Equal(got, want) {
			t.Errorf("arrived %v", got)
		}
		if n := h.sweep(); n != 0 {
			t.Errorf("the sweep found %d", n)
		}
	})
}

// Where a target has little room left, the rest of a lane queues up like everybody else: each delivery has a task of its own.
func TestALaneIsNotFollowedToACrowdedTarget(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0) // 16 attempts at once: 4 of one target
		release := make(chan struct{})
		r := newReceiver(t, func(_ int, _ http.ResponseWriter, p post) {
			if p.path == "/long" {
				<-release
			}
		})
		lane := h.ref
		h.register(r.URL, nil)
		var owed []dispatcher.Delivery
		for i := range 6 {
			owed = append(owed, h.commitOnly(fmt.Sprint("s", i))...)
		}
		for i := range 3 {
			h.ref.OrderID = fmt.Sprint("long", i)
			h.register(r.URL+"/long", func(n *dispatcher.Notification) { n.Timeout = dispatcher.Duration(dispatcher.MaxTimeout) })
			h.change("long")
		}
		h.ref = lane
		h.worker(t)
		t.Cleanup(func() { close(release) }) // runs before the worker is stopped
		h.until(func() bool { return len(r.seen()) == 3 }, func() string { return "the long ones have not begun" })
		h.producer.Enqueue(t.Context(), owed[0].Task())
		for _, d := range owed {
			h.await(d.ID, dispatcher.StatusDelivered)
		}
		h.until(func() bool { return h.processed() >= len(owed) }, func() string {
			return fmt.Sprintf("%d tasks for %d deliveries: the lane was followed", h.processed(), len(owed))
		})
	})
}
