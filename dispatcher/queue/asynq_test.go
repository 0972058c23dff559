package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store/storetest"
)

// Tests that hold Asynq to what we lean on, and us to living with what it does wrong.

// ranAndErred lets commands happen and tells that they failed: the answer was lost on its way.
type ranAndErred struct {
	through
	match func(redis.Cmder) bool
	left  atomic.Int32
}

func (f *ranAndErred) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && f.match(cmd) && f.left.Add(-1) >= 0 {
			err = errors.New("the answer was lost")
			cmd.SetErr(err)
		}
		return err
	}
}

func keysHave(cmd redis.Cmder, part string) bool {
	for _, arg := range cmd.Args() {
		if s, ok := arg.(string); ok && strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func TestEnqueueThatErredAndYetRan(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		lost := &ranAndErred{match: func(cmd redis.Cmder) bool {
			return strings.HasPrefix(cmd.Name(), "eval") && keysHave(cmd, ":t:") && keysHave(cmd, ":pending") && !keysHave(cmd, ":active")
		}}
		lost.left.Store(1)
		rdb.AddHook(lost)
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		if lost.left.Load() > 0 {
			t.Fatal("no enqueue erred: nothing was tested")
		}
		h.worker(t)
		h.await(d.ID, dispatcher.StatusDelivered)
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 0 || len(r.seen()) != 1 {
			t.Errorf("swept %d, %d requests; want 0 and 1", n, len(r.seen()))
		}
	})
}

// A task that Asynq holds as active though no worker has it (its lease is lost) would stay so for ever.
func TestTaskStuckActive(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		queueKey := "asynq:{" + queue.Name + "}:"
		if err := rdb.LMove(t.Context(), queueKey+"pending", queueKey+"active", "RIGHT", "LEFT").Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.HSet(t.Context(), fmt.Sprintf("%st:%s:1", queueKey, d.ID), "state", "active").Err(); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != 1 {
			t.Fatalf("swept %d, want 1", n)
		}
		h.worker(t)
		h.await(d.ID, dispatcher.StatusDelivered)
		if len(r.seen()) != 1 {
			t.Errorf("%d requests", len(r.seen()))
		}
	})
}

// A task that Asynq runs again although it had ended (the completion could not be written) is dropped by the claim.
func TestCompletionLost(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, nil)
		d := h.change("completed")[0]
		h.await(d.ID, dispatcher.StatusDelivered)
		h.until(func() bool { return queueSize(t, rdb) == 0 }, func() string { return "the task has not ended" })
		h.producer.Enqueue(t.Context(), d.Task()) // the same generation once more: as the recoverer would
		second := h.change("other")[0]            // a negative is proved by a later positive
		h.await(second.ID, dispatcher.StatusDelivered)
		h.until(func() bool { return queueSize(t, rdb) == 0 }, func() string { return "the task is not dropped" })
		if len(r.seen()) != 2 {
			t.Errorf("%d requests, want 2", len(r.seen()))
		}
	})
}

func queueSize(t *testing.T, rdb *redis.Client) int { t.Helper(); return queueInfo(t, rdb).Size }

func queueInfo(t *testing.T, rdb *redis.Client) *asynq.QueueInfo {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo(queue.Name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// ends remembers the scripts with which Asynq ends tasks.
type ends struct {
	through
	mu   sync.Mutex
	cmds []redis.Cmder
}

func (e *ends) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "evalsha" && keysHave(cmd, ":active") && keysHave(cmd, ":t:") && !keysHave(cmd, ":paused") {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.cmds = append(e.cmds, cmd)
		}
		return err
	}
}

// Asynq's syncer repeats the end of a task with a context that has ended. The Reviver must know every script that ends
// a task, and no other command.
func TestReviverKnowsHowTasksEnd(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	seen := &ends{}
	rdb.AddHook(seen)
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{Concurrency: 1, Queues: map[string]int{queue.Name: 1},
		TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour }})
	outcomes := map[string]error{"done": nil, "retried": errors.New("x"), "archived": asynq.SkipRetry}
	ended := make(chan struct{}, len(outcomes))
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		defer func() { ended <- struct{}{} }()
		return outcomes[task.Type()]
	})); err != nil {
		t.Fatal(err)
	}
	client := asynq.NewClientFromRedisClient(rdb)
	for name := range outcomes {
		if _, err := client.Enqueue(asynq.NewTask(name, nil), asynq.Queue(queue.Name)); err != nil {
			t.Fatal(err)
		}
	}
	for range outcomes {
		<-ended
	}
	server.Shutdown() // waits for the scripts
	if len(seen.cmds) != len(outcomes) {
		t.Fatalf("%d scripts ended %d tasks", len(seen.cmds), len(outcomes))
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	alive := func(cmd redis.Cmder) (ok bool) {
		_ = queue.Reviver{}.ProcessHook(func(ctx context.Context, _ redis.Cmder) error { ok = ctx.Err() == nil; return nil })(over, cmd)
		return ok
	}
	for _, cmd := range seen.cmds {
		if !alive(cmd) {
			t.Errorf("not revived: %v", cmd.Args()[:6])
		}
	}
	if alive(redis.NewStringCmd(over, "get", "x")) || alive(redis.NewCmd(over, "evalsha", "sha", 2, "a", "b")) {
		t.Error("a command that ends no task is revived")
	}
}
