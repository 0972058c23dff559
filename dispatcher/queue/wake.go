package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store"
)

// Bell wakes idle Asynq servers. A server that polls every 10 ms picks a task up quickly and costs a tenth of a CPU;
// one that polls every second is cheap and slow. A Bell makes it both quick and cheap: it hangs in the client that the
// server dequeues with. A queue that was found empty is taken to be so until somebody enqueues into it (or maxIdle passes);
// while all are, a dequeue waits before it goes on. Producers ring it in their own process, and by pub/sub in all others.
type Bell struct {
	name    string // of this process, so that it does not hear its own publishing
	mu      sync.Mutex
	rung    chan struct{} // closed and replaced by every ring
	queues  map[string]*known
	gates   chan struct{} // told when a gate has changed, in whatever process
	stopped chan struct{}
	once    sync.Once
}

// known is what a Bell knows of a queue.
type known struct {
	came  int       // counts what has come into it: rings, and tasks that were found without one
	empty time.Time // when it was found empty, if nothing has come since
}

const (
	wakeChannel = "td:wake"
	// maxIdle bounds how late a task is picked up that came without a ring: a ring was lost, or Asynq put a task back.
	maxIdle = 2 * time.Second
	// wakeEvery bounds how often a producer publishes: once, and then what came meanwhile together.
	wakeEvery = 5 * time.Millisecond
	// afterRefusal is how long a dequeue that Redis has refused keeps its server: Asynq would ask again at once, and as fast
	// as Redis refuses. It is about how much later a task is picked up when Redis takes dequeues again.
	afterRefusal = 200 * time.Millisecond
)

// NewBell returns a Bell that nobody has rung. The queues are those that servers dequeue from with it: it must not take
// them all for empty while one was never looked at. A Bell that is only rung needs none.
func NewBell(queues ...string) *Bell {
	b := &Bell{name: rand.Text(), rung: make(chan struct{}), queues: map[string]*known{}, gates: make(chan struct{}, 1), stopped: make(chan struct{})}
	for _, queue := range queues {
		b.queues[queue] = &known{}
	}
	return b
}

// Ring lets everyone who waits look into those queues; into all, when none is named.
func (b *Bell) Ring(queues ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
	for queue, k := range b.queues {
		if len(queues) == 0 || slices.Contains(queues, queue) {
			k.came++
			k.empty = time.Time{}
		}
	}
}

// Stop lets everyone go on for good: a server that shuts down must not be kept waiting.
func (b *Bell) Stop() { b.once.Do(func() { close(b.stopped) }) }

// quiet returns the next ring, and for how long still all queues are taken to be empty.
func (b *Bell) quiet() (rung <-chan struct{}, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queues) == 0 {
		return b.rung, 0
	}
	left = maxIdle
	for _, k := range b.queues {
		left = min(left, maxIdle-time.Since(k.empty))
	}
	return b.rung, left
}

// look reports whether a queue may hold something, and what has come into it so far.
func (b *Bell) look(queue string) (came int, may bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.queues[queue]
	if k == nil {
		k = &known{}
		b.queues[queue] = k
	}
	return k.came, time.Since(k.empty) >= maxIdle
}

// found notes what a dequeue came to. Something may have come since it began.
func (b *Bell) found(queue string, came int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.queues[queue]
	switch {
	case err == nil:
		k.came++
		k.empty = time.Time{}
	case errors.Is(err, redis.Nil) && k.came == came:
		k.empty = time.Now()
	}
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
	switch channel {
	case store.GatesChannel:
		select {
		case b.gates <- struct{}{}:
		default: // the keeper has not yet looked
		}
	case wakeChannel:
		if rung := strings.Fields(from); len(rung) == 0 || rung[0] != b.name {
			b.Ring(rung[min(1, len(rung)):]...)
		}
	}
}

// DialHook implements redis.Hook.
func (b *Bell) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (b *Bell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook: a dequeue waits while all queues are empty, and asks Redis only for one that may not be.
// It waits before it asks, and so in the first of the queues: those after it are asked without another pause of Asynq's.
// Asynq reckoned the lease before: by maxIdle of its 30 s it may be shorter, and it is extended every 5 s. One that Redis
// refuses (no memory, no disk, a replica, no right to) tells so after a pause, since Asynq makes none.
func (b *Bell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		queue, ok := dequeued(cmd)
		if !ok {
			err := next(ctx, cmd)
			if to, moved := forwarded(cmd); err == nil && moved {
				b.Ring(to)
			}
			return err
		}
		b.wait(ctx)
		came, may := b.look(queue)
		if !may {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		err := next(ctx, cmd)
		b.found(queue, came, err)
		if refused(err) {
			b.pause(ctx, afterRefusal, nil)
		}
		return err
	}
}

// wait returns when some queue may hold something.
func (b *Bell) wait(ctx context.Context) {
	if rung, left := b.quiet(); left > 0 {
		b.pause(ctx, left, rung)
	}
}

// pause lasts so long, unless it rings, the Bell is stopped or the context ends.
func (b *Bell) pause(ctx context.Context, most time.Duration, rung <-chan struct{}) {
	over := time.NewTimer(most)
	defer over.Stop()
	select {
	case <-rung:
	case <-over.C:
	case <-b.stopped:
	case <-ctx.Done():
	}
}

// refused reports whether a dequeue came to nothing but an error. That the script is not known is none: Asynq sends it then.
func refused(err error) bool {
	return err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "NOSCRIPT")
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
		if queue, ok = queueOf(key, suffix); !ok {
			return "", false
		}
	}
	return queue, true
}

// queueOf names the queue of a key of Asynq's that ends so.
func queueOf(key, suffix string) (queue string, ok bool) {
	if queue, ok = strings.CutPrefix(key, "asynq:{"); !ok {
		return "", false
	}
	return strings.CutSuffix(queue, "}"+suffix)
}

// forwarded reports whether a command is the script of Asynq's forwarders, and has moved something, and into which queue.
func forwarded(cmd redis.Cmder) (queue string, ok bool) {
	script, _, to, ok := forwarding(cmd)
	if !ok {
		return "", false
	}
	moved, err := script.Int()
	return to, err == nil && moved > 0
}

// ringer publishes rings, many together.
type ringer struct {
	bell   *Bell
	rdb    redis.UniversalClient
	due    chan struct{}
	mu     sync.Mutex
	queues []string // that were rung for since it last published
}

func newRinger(bell *Bell, rdb redis.UniversalClient) *ringer {
	return &ringer{bell: bell, rdb: rdb, due: make(chan struct{}, 1)}
}

func (r *ringer) ring(queues ...string) {
	r.bell.Ring(queues...)
	r.mu.Lock()
	for _, queue := range queues {
		if !slices.Contains(r.queues, queue) {
			r.queues = append(r.queues, queue)
		}
	}
	r.mu.Unlock()
	select {
	case r.due <- struct{}{}:
	default: // one is due already and covers this, too
	}
}

// message names the process, and the queues that were rung for, if any since the last.
func (r *ringer) message() (text string, any bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, any = r.bell.name+" "+strings.Join(r.queues, " "), len(r.queues) > 0
	r.queues = r.queues[:0]
	return text, any
}

// publish tells others what was rung for, if anything was. One that fails is not repeated: idle servers poll every maxIdle anyway.
func (r *ringer) publish(ctx context.Context) {
	if text, any := r.message(); any {
		_ = r.rdb.Publish(ctx, wakeChannel, text).Err()
	}
}

// lastRing is how long the last publishing may take of a process that stops.
const lastRing = time.Second

// run publishes until the context ends, and then what was rung for since the last time.
func (r *ringer) run(ctx context.Context) {
	telling, cancel := outlasting(ctx, lastRing)
	defer cancel()
	defer r.publish(telling)
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.due:
			r.publish(telling)
		}
		pause.Reset(wakeEvery)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}
