package batch_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue/batch"
	"github.com/tidings/tidings/store/storetest"
)

var (
	// increment answers with the new number.
	increment = redis.NewScript(`return redis.call('INCRBY', KEYS[1], ARGV[1])`)
	// echo answers with what it was given.
	echo = redis.NewScript(`redis.call('INCR', KEYS[1]); return ARGV[1]`)
	// nothing answers nil.
	nothing = redis.NewScript(`redis.call('GET', KEYS[1]); return nil`)
	// refuse answers with an error.
	refuse = redis.NewScript(`redis.call('GET', KEYS[1]); return redis.error_reply('REFUSED ' .. ARGV[1])`)
)

func each(t *testing.T, fn func(t *testing.T, rdb *redis.Client)) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		for _, script := range []*redis.Script{increment, echo, nothing, refuse} {
			if err := script.Load(t.Context(), rdb).Err(); err != nil {
				t.Fatal(err)
			}
		}
		fn(t, rdb)
	})
}

// clone makes another client of the same database.
func clone(t testing.TB, rdb *redis.Client, edit ...func(*redis.Options)) *redis.Client {
	t.Helper()
	options := *rdb.Options()
	options.PushNotificationProcessor = nil // not to be shared by two clients
	options.PoolSize = 128
	for _, e := range edit {
		e(&options)
	}
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func once(o *redis.Options) { o.MaxRetries = -1 }

// batched makes a client that gathers, and looks on at what its carrier carries.
func batched(t testing.TB, rdb *redis.Client, edit ...func(*redis.Options)) (*redis.Client, *tower) {
	t.Helper()
	carrier, client := clone(t, rdb, append(edit, once)...), clone(t, rdb)
	w := &tower{free: make(chan struct{})}
	close(w.free)
	carrier.AddHook(w)
	client.AddHook(batch.NewHook(carrier))
	return client, w
}

// tower sees every flight, and can hold them on the ground.
type tower struct {
	mu      sync.Mutex
	flights []int // how many commands each carried
	free    chan struct{}
}

func (*tower) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*tower) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (w *tower) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "evalsha" { // go-redis greets on a new connection
			return next(ctx, cmds)
		}
		w.mu.Lock()
		w.flights = append(w.flights, len(cmds))
		free := w.free
		w.mu.Unlock()
		<-free
		return next(ctx, cmds)
	}
}

// hold keeps all flights that begin from now on on the ground until let.
func (w *tower) hold() (let func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = make(chan struct{})
	return sync.OnceFunc(func() { close(w.free) })
}

func (w *tower) seen() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int(nil), w.flights...)
}

// until polls; its patience is the test's own.
func until(t *testing.T, ok func() bool, what string) {
	t.Helper()
	patience, tick := time.NewTimer(20*time.Second), time.NewTicker(time.Millisecond)
	defer patience.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-patience.C:
			t.Fatal(what)
		case <-tick.C:
		}
	}
}
