package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store/storetest"
)

// counting counts commands by name.
type counting struct {
	through
	scripts atomic.Int64
}

func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			c.scripts.Add(1)
		}
		return next(ctx, cmd)
	}
}

// The Bell recognises Asynq's dequeue by its keys. Should Asynq change them, an idle server would poll every
// millisecond: this test would see hundreds of scripts.
func TestIdleServerHardlyPolls(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	client := clientBeside(t, rdb)
	count := &counting{}
	bell := queue.NewBell(queue.Name)
	client.AddHook(bell)
	client.AddHook(count)
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.Name: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * time.Second) // an idle time is what is measured
	if n := count.scripts.Load(); n > 60 {
		t.Errorf("%d scripts in 2 s of idleness: the dequeue is not recognised", n)
	}
	bell.Stop()
	server.Shutdown()
}

// A server that begins looks into every queue before it waits: what lies in the second was put there before any ring that it
// could hear.
func TestServerThatBeginsLooksIntoEveryQueue(t *testing.T) {
	t.Parallel()
	client := clientBeside(t, storetest.Mini(t))
	bell := queue.NewBell(queue.Name, queue.BulkName)
	client.AddHook(bell)
	if _, err := asynq.NewClientFromRedisClient(client).Enqueue(asynq.NewTask("t", nil), asynq.Queue(queue.BulkName)); err != nil {
		t.Fatal(err)
	}
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.Name: 2, queue.BulkName: 1}, StrictPriority: true,
		TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	began, handled := time.Now(), make(chan time.Time, 1)
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { handled <- time.Now(); return nil })); err != nil {
		t.Fatal(err)
	}
	if took := (<-handled).Sub(began); took > 1500*time.Millisecond { // without, 2 s
		t.Errorf("it was handled after %v", took)
	}
	bell.Stop()
	server.Shutdown()
}

// said is an error that Redis answers with.
type said string

func (e said) Error() string { return string(e) }
func (said) RedisError()     {}

// refusing is a Redis that answers dequeues with an error for a while.
type refusing struct {
	through
	with    error
	left    atomic.Int64 // dequeues that are still to be refused
	refused func()       // called with each
}

func (r *refusing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") && keysHave(cmd, ":paused") && r.left.Add(-1) >= 0 {
			r.refused()
			cmd.SetErr(r.with)
			return r.with
		}
		return next(ctx, cmd)
	}
}

// Asynq asks again at once when a dequeue fails. While Redis refuses them (it has no memory left, say), its servers must not
// keep it busy with that, however often it rings, nor be long in coming when it takes them again.
func TestServerDoesNotSpinWhileRedisRefuses(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	client := clientBeside(t, rdb)
	bell := queue.NewBell(queue.Name)
	const refusals = 6
	var last atomic.Pointer[time.Time]
	refuse := &refusing{with: said("OOM command not allowed when used memory > 'maxmemory'."), refused: func() {
		now := time.Now()
		last.Store(&now)
		time.AfterFunc(time.Millisecond, func() { bell.Ring() })
	}}
	refuse.left.Store(refusals)
	client.AddHook(bell)
	client.AddHook(queue.NewFetcher())
	client.AddHook(refuse)
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("t", nil), asynq.Queue(queue.Name)); err != nil {
		t.Fatal(err)
	}
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.Name: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	began, handled := time.Now(), make(chan time.Time, 1)
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { handled <- time.Now(); return nil })); err != nil {
		t.Fatal(err)
	}
	at := <-handled
	if took := at.Sub(began); took < (refusals-1)*200*time.Millisecond {
		t.Errorf("%d dequeues were refused within %v: the server spins", refusals, took)
	}
	if late := at.Sub(*last.Load()); late > 1500*time.Millisecond {
		t.Errorf("handled %v after the last refusal", late)
	}
	bell.Stop()
	server.Shutdown()
}

// A dequeue goes on at once where there is nothing to spare Redis: it has only to be told the script, or we are to end.
func TestOnlyARefusedDequeueWaits(t *testing.T) {
	t.Parallel()
	oom := said("OOM command not allowed")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		when string
		ctx  context.Context
		stop bool
		err  error
	}{
		{"the script is not known", t.Context(), false, said("NOSCRIPT No matching script.")},
		{"the context has ended", ended, false, oom},
		{"the server stops", t.Context(), true, oom},
	} {
		bell := queue.NewBell(queue.Name)
		if c.stop {
			bell.Stop()
		}
		dequeue := bell.ProcessHook(func(context.Context, redis.Cmder) error { return c.err })
		key := "asynq:{" + queue.Name + "}:"
		began := time.Now()
		for range 100 { // with a pause each, 20 s
			cmd := redis.NewCmd(c.ctx, "evalsha", "sha", 4, key+"pending", key+"paused", key+"active", key+"lease", 1, key+"t:")
			if err := dequeue(c.ctx, cmd); !errors.Is(err, c.err) {
				t.Fatalf("%s: got %v, want %v", c.when, err, c.err)
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: 100 dequeues took %v", c.when, took)
		}
	}
}

// asked counts how often Redis is asked for tasks, by the queue's key.
type asked struct {
	through
	mu     sync.Mutex
	queues map[string]int
}

func (a *asked) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && len(args) > 3 {
			key, _ := args[3].(string)
			a.mu.Lock()
			a.queues[key]++
			a.mu.Unlock()
		}
		return next(ctx, cmd)
	}
}

// Who is rung for one queue looks into that one only, and only until it is empty: a ring of another process names it, too.
func TestWhoIsRungAsksForTheQueueThatWasNamed(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	client := clientBeside(t, rdb)
	bell, count := queue.NewBell(queue.Name, queue.BulkName), &asked{queues: map[string]int{}}
	client.AddHook(bell)
	client.AddHook(count)
	go bell.Listen(t.Context(), rdb)
	var servers []*asynq.Server
	handled := make(chan time.Time, 1)
	for range 2 {
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 4, Queues: map[string]int{queue.Name: 1, queue.BulkName: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		})
		if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { handled <- time.Now(); return nil })); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, server)
	}
	defer func() {
		bell.Stop()
		for _, server := range servers {
			server.Shutdown()
		}
	}()
	began := time.Now()
	const tasks = 40
	var took []time.Duration
	for i := range tasks {
		if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("x", nil), asynq.Queue(queue.Name)); err != nil {
			t.Fatal(err)
		}
		rung := time.Now()
		if i%2 == 0 {
			bell.Ring(queue.Name)
		} else if err := rdb.Publish(t.Context(), "td:wake", "another "+queue.Name).Err(); err != nil {
			t.Fatal(err)
		}
		took = append(took, (<-handled).Sub(rung))
	}
	slices.Sort(took)
	if median := took[tasks/2]; median > 200*time.Millisecond {
		t.Errorf("median from ring to running %v; all: %v", median, took)
	}
	count.mu.Lock()
	defer count.mu.Unlock()
	// One that finds it, and some of both servers that find nothing until one of them is believed; and what is asked in vain at
	// the start and every 2 s.
	idle := 4 + 2*int(time.Since(began)/(2*time.Second))
	if named, other := count.queues["asynq:{"+queue.Name+"}:pending"], count.queues["asynq:{"+queue.BulkName+"}:pending"]; named > 5*tasks+idle || other > 12+idle {
		t.Errorf("%d tasks: asked %d times, and %d times for the other queue", tasks, named, other)
	}
}

// Other processes are told of the queue that something was enqueued into.
func TestProducerTellsOthersWhereSomethingCame(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		told := rdb.Subscribe(t.Context(), "td:wake")
		defer told.Close()
		if _, err := told.Receive(t.Context()); err != nil { // subscribed
			t.Fatal(err)
		}
		h.register("http://127.0.0.1:1/", nil)
		h.change("created")
		if words := strings.Fields(awaitMessage(t, told)); len(words) != 2 || words[1] != queue.Name {
			t.Errorf("told %q", words)
		}
	})
}

// What was enqueued last, while the process stops, is told too.
func TestProducerThatStopsTellsOthersOfTheLast(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		told := rdb.Subscribe(t.Context(), "td:wake")
		defer told.Close()
		if _, err := told.Receive(t.Context()); err != nil { // subscribed
			t.Fatal(err)
		}
		producer := queue.NewProducer(queue.ProducerConfig{Redis: rdb, Bell: queue.NewBell(), Log: slog.New(slog.DiscardHandler),
			Metrics: queue.NewMetrics(prometheus.NewRegistry())})
		producer.Enqueue(t.Context(), dispatcher.Task{DeliveryID: "last", Generation: 1, Merchant: "acme"})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		producer.Run(ended)
		if words := strings.Fields(awaitMessage(t, told)); len(words) != 2 || words[1] != queue.Name {
			t.Errorf("told %q", words)
		}
	})
}

// A retry that is to come later is nothing to look at. One that is due when it gets its task is: Asynq makes that pending at once.
func TestProducerRingsForARetryThatIsDueAlready(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	producer := queue.NewProducer(queue.ProducerConfig{Redis: rdb, Bell: queue.NewBell(), Log: slog.New(slog.DiscardHandler),
		Metrics: queue.NewMetrics(prometheus.NewRegistry()), Now: time.Now})
	for _, c := range []struct {
		in   time.Duration
		rung []string
	}{{time.Hour, nil}, {-time.Minute, []string{queue.Name}}} {
		queue.EnqueueAt(producer, t.Context(), dispatcher.Task{DeliveryID: c.in.String(), Generation: 1, Merchant: "acme"}, time.Now().Add(c.in))
		if got := queue.Rung(producer); !slices.Equal(got, c.rung) {
			t.Errorf("in %v: rung for %q, want %q", c.in, got, c.rung)
		}
		if pending := rdb.LLen(t.Context(), "asynq:{"+queue.Name+"}:pending").Val(); int(pending) != len(c.rung) {
			t.Errorf("in %v: %d pending", c.in, pending)
		}
	}
}

func awaitMessage(t *testing.T, from *redis.PubSub) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	message, err := from.ReceiveMessage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return message.Payload
}

func TestIdleWorkerPicksUpAtOnce(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingNone })
		var took []time.Duration
		for i := range 15 {
			began := time.Now()
			h.change("s" + string(rune('a'+i)))
			h.until(func() bool { return len(r.seen()) == i+1 }, func() string { return "nothing came" })
			took = append(took, r.seen()[i].at.Sub(began))
		}
		slices.Sort(took)
		// Without the ring, half of the deliveries would wait for more than a second.
		if median := took[len(took)/2]; median > 300*time.Millisecond {
			t.Errorf("median from change to arrival %v; all: %v", median, took)
		}
	})
}

// The Bell recognises what Asynq's forwarder moves: else a retry waits for up to a second longer, each time.
func TestWhatTheForwarderMovesIsPickedUpAtOnce(t *testing.T) {
	t.Parallel()
	rdb := storetest.Mini(t)
	client := clientBeside(t, rdb)
	bell := queue.NewBell(queue.Name)
	client.AddHook(bell)
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.Name: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		DelayedTaskCheckInterval: 20 * time.Millisecond,
	})
	ran := make(chan time.Time, 20)
	handler := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { ran <- time.Now(); return nil })
	if err := server.Start(handler); err != nil {
		t.Fatal(err)
	}
	defer func() { bell.Stop(); server.Shutdown() }()
	enqueuing := asynq.NewClientFromRedisClient(rdb)
	var late []time.Duration
	for range 5 {
		due := time.Now().Truncate(time.Second).Add(time.Second) // a scheduled task does not ring
		if _, err := enqueuing.Enqueue(asynq.NewTask("x", nil), asynq.Queue(queue.Name), asynq.ProcessAt(due)); err != nil {
			t.Fatal(err)
		}
		late = append(late, (<-ran).Sub(due))
	}
	slices.Sort(late)
	if median := late[len(late)/2]; median > 200*time.Millisecond {
		t.Errorf("median from due to running %v; all: %v", median, late)
	}
}
