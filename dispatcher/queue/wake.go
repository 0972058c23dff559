package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store"
)

// Bell wakes idle Asynq servers. A server that polls every 10 ms picks a task up quickly and costs a tenth of a CPU;
// one that polls every second is cheap and slow. A Bell makes it both quick and cheap: it hangs in the client that the
// server dequeues with. When all queues are empty, it lets the dequeue wait until somebody enqueues (or maxIdle passes)
// before the server polls again. When only one is, it answers for that one without asking Redis, until somebody
// enqueues (or stillEmpty passes). Producers ring it in their own process, and by pub/sub in all others.
type Bell struct {
	name    string // of this process, so that it does not hear its own publishing
	mu      sync.Mutex
	rung    chan struct{}        // closed and replaced by every ring
	empty   map[string]time.Time // queue -> when it was found empty since the last ring
	gates   chan struct{}        // told when a gate has changed, in whatever process
	stopped chan struct{}
	once    sync.Once
}

const (
	wakeChannel = "td:wake"
	// maxIdle bounds how late a task is picked up that came without a ring: a ring was lost, or Asynq put a task back.
	maxIdle = 2 * time.Second
	// wakeEvery bounds how often a producer publishes: once, and then what came meanwhile together.
	wakeEvery = 5 * time.Millisecond
	// stillEmpty is how long a queue that was found empty is taken to be so while tasks come from the other.
	stillEmpty = 20 * time.Millisecond
)

// NewBell returns a Bell that nobody has rung. The queues are those that servers dequeue from with it: it must not take
// them all for empty while one was never looked at. A Bell that is only rung needs none.
func NewBell(queues ...string) *Bell {
	b := &Bell{name: rand.Text(), rung: make(chan struct{}), empty: map[string]time.Time{}, gates: make(chan struct{}, 1), stopped: make(chan struct{})}
	for _, queue := range queues {
		b.empty[queue] = time.Time{}
	}
	return b
}

// Ring lets everyone who waits go on.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
	for queue := range b.empty {
		b.empty[queue] = time.Time{}
	}
}

// Stop lets everyone go on for good: a server that shuts down must not be kept waiting.
func (b *Bell) Stop() { b.once.Do(func() { close(b.stopped) }) }

// next returns the next ring, and whether the queue has just been found empty.
func (b *Bell) next(queue string) (rung <-chan struct{}, empty bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung, time.Since(b.empty[queue]) < stillEmpty
}

// found notes what a dequeue came to, unless somebody has rung meanwhile.
func (b *Bell) found(queue string, rung <-chan struct{}, empty bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Time{}
	if empty && b.rung == rung {
		at = time.Now()
	}
	b.empty[queue] = at
}

// idle reports whether all queues have just been found empty.
func (b *Bell) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range b.empty {
		if time.Since(at) >= stillEmpty {
			return false
		}
	}
	return true
}

// Listen rings whenever a producer of another process publishes, and tells the keeper of gates that were changed, until the
// context ends. What was published while there was no connection is lost: with every new one, it rings and tells, too. Without
// any it keeps trying; the servers then poll every maxIdle, and the keeper every readGatesEvery.
func (b *Bell) Listen(ctx context.Context, rdb redis.UniversalClient) {
	sub := rdb.Subscribe(ctx, wakeChannel, store.GatesChannel)
	defer sub.Close()
	messages := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case message, ok := <-messages:
			if !ok {
				return
			}
			b.heard(message)
		}
	}
}

func (b *Bell) heard(message any) {
	var channel, from string
	switch m := message.(type) {
	case *redis.Subscription:
		channel = m.Channel
	case *redis.Message:
		channel, from = m.Channel, m.Payload
	}
	switch {
	case channel == store.GatesChannel:
		select {
		case b.gates <- struct{}{}:
		default: // the keeper has not yet looked
		}
	case channel == wakeChannel && from != b.name:
		b.Ring()
	}
}

// DialHook implements redis.Hook.
func (b *Bell) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (b *Bell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook: a dequeue waits when all queues are empty. The ring is taken before the dequeue, so
// that what is enqueued between the two is not slept through.
func (b *Bell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		queue, ok := dequeued(cmd)
		if !ok {
			err := next(ctx, cmd)
			if err == nil && forwarded(cmd) {
				b.Ring()
			}
			return err
		}
		rung, empty := b.next(queue)
		err := error(redis.Nil)
		if empty {
			cmd.SetErr(err)
		} else {
			err = next(ctx, cmd)
			b.found(queue, rung, errors.Is(err, redis.Nil))
		}
		if !errors.Is(err, redis.Nil) || !b.idle() {
			return err
		}
		idle := time.NewTimer(maxIdle)
		defer idle.Stop()
		select {
		case <-rung:
		case <-idle.C:
		case <-b.stopped:
		case <-ctx.Done():
		}
		return err
	}
}

// dequeued recognises Asynq's dequeue script by its keys (pending, paused, active, lease) and names its queue. A test
// holds Asynq to it.
func dequeued(cmd redis.Cmder) (queue string, ok bool) {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return "", false
	}
	args := cmd.Args()
	if len(args) < 7 {
		return "", false
	}
	for i, suffix := range []string{":pending", ":paused", ":active", ":lease"} {
		key, _ := args[3+i].(string)
		if !strings.HasPrefix(key, "asynq:{") || !strings.HasSuffix(key, suffix) {
			return "", false
		}
		queue = strings.TrimSuffix(key, suffix)
	}
	return strings.TrimSuffix(strings.TrimPrefix(queue, "asynq:{"), "}"), true
}

// forwarded reports whether a command is the script of Asynq's forwarders, and has moved something.
func forwarded(cmd redis.Cmder) bool {
	script, _, ok := forwarding(cmd)
	if !ok {
		return false
	}
	moved, err := script.Int()
	return err == nil && moved > 0
}

// ringer publishes rings, many together.
type ringer struct {
	bell *Bell
	rdb  redis.UniversalClient
	due  chan struct{}
}

func newRinger(bell *Bell, rdb redis.UniversalClient) *ringer {
	return &ringer{bell: bell, rdb: rdb, due: make(chan struct{}, 1)}
}

func (r *ringer) ring() {
	r.bell.Ring()
	select {
	case r.due <- struct{}{}:
	default: // one is due already and covers this, too
	}
}

// run publishes until the context ends. A publish that fails is not repeated: idle servers poll every maxIdle anyway.
func (r *ringer) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.due:
			_ = r.rdb.Publish(ctx, wakeChannel, r.bell.name).Err()
		}
		pause.Reset(wakeEvery)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}
