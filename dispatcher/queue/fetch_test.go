package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// fetching is a client with a Fetcher, and Asynq's own dequeue to call it with.
type fetching struct {
	t       *testing.T
	rdb     *redis.Client // without the Fetcher
	client  *redis.Client
	fetcher *queue.Fetcher
	trips   *counting
	dequeue []any
}

func newFetching(t *testing.T, rdb *redis.Client) *fetching {
	t.Helper()
	f := &fetching{t: t, rdb: rdb, client: clientBeside(t, rdb), fetcher: queue.NewFetcher(), trips: &counting{}}
	f.client.AddHook(f.fetcher)
	f.client.AddHook(f.trips)

	watched := clientBeside(t, rdb)
	seen := watch{dequeue: make(chan []any, 1)}
	watched.AddHook(seen)
	server := asynq.NewServerFromRedisClient(watched, asynq.Config{Concurrency: 1, Queues: map[string]int{queue.Name: 1}, LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	f.dequeue = <-seen.dequeue
	server.Shutdown()
	return f
}

// watch sees the arguments of Asynq's first dequeue.
type watch struct {
	through
	dequeue chan []any
}

func (w watch) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && len(args) == 9 && strings.HasSuffix(fmt.Sprint(args[3]), ":pending") {
			select {
			case w.dequeue <- args:
			default:
			}
		}
		return next(ctx, cmd)
	}
}

func (f *fetching) enqueue(n int) (ids []string) {
	f.t.Helper()
	client := asynq.NewClientFromRedisClient(f.rdb)
	for i := range n {
		id := fmt.Sprintf("task%03d", i)
		if _, err := client.Enqueue(asynq.NewTask("test", []byte(id)), asynq.Queue(queue.Name), asynq.TaskID(id)); err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// take dequeues as Asynq does and returns the message; "" when there is none.
func (f *fetching) take(client *redis.Client) string {
	f.t.Helper()
	cmd := redis.NewCmd(f.t.Context(), f.dequeue...)
	if err := client.Process(f.t.Context(), cmd); err != nil && !errors.Is(err, redis.Nil) {
		f.t.Fatal(err)
	}
	text, _ := cmd.Val().(string)
	return text
}

func (f *fetching) counts() (active, pending, leases int) {
	f.t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(f.rdb).GetQueueInfo(queue.Name)
	if err != nil {
		f.t.Fatal(err)
	}
	held, err := f.rdb.ZCard(f.t.Context(), "asynq:{"+queue.Name+"}:lease").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	return info.Active, info.Pending, int(held)
}

// Tasks come in their order, several by one trip, and what nobody took is the next again.
func TestFetcherKeepsTheOrder(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		f := newFetching(t, rdb)
		f.fetcher.Open(func() int { return 100 })
		ids := f.enqueue(40)
		for i, id := range ids[:20] {
			if got := f.take(f.client); !strings.Contains(got, id) {
				t.Fatalf("dequeue %d is %q, not %s", i, got, id)
			}
		}
		if n := f.trips.scripts.Load(); n > 6 {
			t.Errorf("20 dequeues took %d trips: nothing is fetched together", n)
		}
		if active, pending, leases := f.counts(); active != leases || active+pending != 40 || active <= 20 {
			t.Errorf("%d active, %d pending, %d leases of 40", active, pending, leases)
		}
		if err := f.fetcher.Close(t.Context(), f.rdb); err != nil {
			t.Fatal(err)
		}
		if active, pending, leases := f.counts(); active != 20 || pending != 20 || leases != 20 {
			t.Errorf("handed back: %d active, %d pending, %d leases; want 20 of each", active, pending, leases)
		}
		for i, id := range ids[20:] { // without a Fetcher, and through a closed one
			client := []*redis.Client{f.rdb, f.client}[i%2]
			if got := f.take(client); !strings.Contains(got, id) {
				t.Fatalf("after the close dequeue %d is %q, not %s", i, got, id)
			}
			if active, _, _ := f.counts(); active != 21+i {
				t.Fatalf("a closed Fetcher fetched %d at once", active-20-i)
			}
		}
		if got := f.take(f.client); got != "" {
			t.Errorf("an empty queue gave %q", got)
		}
	})
}

// No more is fetched than could begin at once, and nothing of a queue that is paused.
func TestFetcherKnowsItsRoom(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		f := newFetching(t, rdb)
		f.enqueue(30)
		var taken int
		f.fetcher.Open(func() int { return 6 })
		for range 12 {
			f.take(f.client)
			taken++
			if active, _, _ := f.counts(); active > taken+2 {
				t.Fatalf("%d taken, %d active: more than three were fetched at once", taken, active)
			}
		}
		for active, _, _ := f.counts(); taken < active; taken++ {
			f.take(f.client)
		}
		if err := asynq.NewInspectorFromRedisClient(rdb).PauseQueue(queue.Name); err != nil {
			t.Fatal(err)
		}
		if got := f.take(f.client); got != "" {
			t.Errorf("a paused queue gave %q", got)
		}
	})
}

// An Asynq server behind a Fetcher handles every task once, and leaves nothing behind.
func TestServerBehindFetcher(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		f := newFetching(t, rdb)
		ids := f.enqueue(200)
		var running atomic.Int64
		f.fetcher.Open(func() int { return 32 - int(running.Load()) })
		var mu sync.Mutex
		var handled []string
		server := asynq.NewServerFromRedisClient(f.client, asynq.Config{
			Concurrency: 32, Queues: map[string]int{queue.Name: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		})
		if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
			running.Add(1)
			defer running.Add(-1)
			mu.Lock()
			defer mu.Unlock()
			handled = append(handled, string(task.Payload()))
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		until := time.After(20 * time.Second)
		for n := 0; n < len(ids); {
			select {
			case <-until:
				t.Fatalf("%d of %d handled", n, len(ids))
			case <-time.After(5 * time.Millisecond):
			}
			mu.Lock()
			n = len(handled)
			mu.Unlock()
		}
		server.Shutdown()
		if slices.Sort(handled); !slices.Equal(handled, ids) {
			t.Errorf("handled %v", handled)
		}
		if n := f.trips.scripts.Load(); n > 300 { // one each to end them
			t.Errorf("200 tasks took %d scripts: nothing is fetched together", n)
		}
		info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo(queue.Name)
		if err != nil || info.Size != 0 || info.Processed != len(ids) {
			t.Errorf("left behind: %+v, %v", info, err)
		}
	})
}

// What a process had fetched and not begun when it was killed is found by the sweep.
func TestFetchedByTheKilledIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		f := newFetching(t, rdb)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingNone })
		var owed []dispatcher.Delivery
		for i := range 8 {
			owed = append(owed, h.change(fmt.Sprintf("s%d", i))...)
		}
		f.fetcher.Open(func() int { return 100 })
		for range 4 { // fetches 1, 2 and 4; one more is left pending
			f.take(f.client)
		}
		if active, pending, _ := f.counts(); active != 7 || pending != 1 {
			t.Fatalf("%d active, %d pending", active, pending)
		}
		h.clock.advance(10 * time.Second)
		if n := h.sweep(); n != 7 {
			t.Errorf("the sweep enqueued %d, not the 7 that were fetched", n)
		}
		h.worker(t)
		for _, d := range owed {
			h.await(d.ID, dispatcher.StatusDelivered)
		}
		if n := len(r.seen()); n != len(owed) {
			t.Errorf("%d deliveries made %d requests", len(owed), n)
		}
	})
}
