package queue_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store/storetest"
)

// looks counts what a Forecast asks Redis for a forwarder, and does something right after the first look.
type looks struct {
	through
	zranges, forwards atomic.Int64
	after             func()
	once              sync.Once
}

func (l *looks) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch args := cmd.Args(); {
		case cmd.Name() == "zrange":
			l.zranges.Add(1)
			if l.after != nil && args[1] == "asynq:{"+queue.Name+"}:scheduled" {
				l.once.Do(l.after)
			}
		case len(args) == 9 && args[4] == "asynq:{"+queue.Name+"}:pending":
			l.forwards.Add(1)
		}
		return err
	}
}

// forwarded is an Asynq server whose forwarder asks often, with a Forecast.
type forwarded struct {
	client *redis.Client // that has the Forecast
	ran    chan time.Time
}

func newForwarded(t *testing.T, rdb *redis.Client, l *looks) forwarded {
	t.Helper()
	f := forwarded{clientBeside(t, rdb), make(chan time.Time, 20)}
	f.client.AddHook(queue.NewForecast())
	f.client.AddHook(l)
	server := asynq.NewServerFromRedisClient(f.client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.Name: 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		DelayedTaskCheckInterval: 10 * time.Millisecond,
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { f.ran <- time.Now(); return nil })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return f
}

// schedule puts a task that is due at the next whole second.
func schedule(t *testing.T, rdb *redis.Client) (due time.Time) {
	t.Helper()
	due = time.Now().Truncate(time.Second).Add(time.Second)
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("x", nil), asynq.Queue(queue.Name), asynq.ProcessAt(due)); err != nil {
		t.Error(err)
	}
	return due
}

// The Forecast recognises Asynq's forwarders by what their script names. Should Asynq change that, this test would see
// them ask a hundred times a second.
func TestForwardersAskOnlyWhenSomethingMayBeDue(t *testing.T) {
	t.Parallel()
	rdb, l := storetest.Mini(t), &looks{}
	f := newForwarded(t, rdb, l)
	var late []time.Duration
	for range 3 {
		due := schedule(t, f.client)
		late = append(late, (<-f.ran).Sub(due))
	}
	slices.Sort(late)
	if median := late[len(late)/2]; median < 0 || median > 300*time.Millisecond {
		t.Errorf("median from due to running %v; all: %v", median, late)
	}
	// Two sets, looked at once for each task that was put, moved and waited for, and by the way.
	if n, m := l.zranges.Load(), l.forwards.Load(); n == 0 || n > 30 || m == 0 || m > 10 {
		t.Errorf("%d looks and %d times forwarded in 3 s", n, m)
	}
}

// What another process schedules, which then dies, nobody tells.
func TestForwardersFindWhatNobodyTold(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	looked := make(chan struct{})
	f := newForwarded(t, rdb, &looks{after: func() { close(looked) }})
	<-looked
	due := schedule(t, rdb)
	if late := (<-f.ran).Sub(due); late > 8*time.Second {
		t.Errorf("ran %v after it was due", late)
	}
}

// A task that is put between a look and its answer: the look has not seen it, and must not be believed.
func TestForwardersDoNotBelieveALookThatWasOvertaken(t *testing.T) {
	t.Parallel()
	l := &looks{}
	rdb := storetest.Mini(t)
	clients, dues := make(chan *redis.Client, 1), make(chan time.Time, 1)
	l.after = func() { dues <- schedule(t, <-clients) }
	f := newForwarded(t, rdb, l)
	clients <- f.client
	due := <-dues
	if late := (<-f.ran).Sub(due); late > 2*time.Second {
		t.Errorf("ran %v after it was due", late)
	}
}
