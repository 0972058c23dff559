package batch

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// flights is how many pipelines are on their way at once: while Redis works on one, the other is written or read.
	flights = 2
	// mostCommands and mostBytes bound one pipeline, so that Redis gets to others' commands in between and one deadline
	// is enough for all of it. A command that alone has half of these bytes goes by itself.
	mostCommands = 128
	mostBytes    = 256 << 10
)

// Hook gathers the scripts that many goroutines call at once. It may hang in several clients of one Redis, as the
// innermost of their hooks; what they gather travels together.
type Hook struct {
	carrier *redis.Client

	mu      sync.Mutex
	flying  int
	waiting []*call
}

// NewHook returns a Hook whose pipelines travel by the carrier. That is a client of the same Redis which needs no more
// than Connections connections, must not repeat (MaxRetries -1) and must not have the Hook itself.
func NewHook(carrier *redis.Client) *Hook { return &Hook{carrier: carrier} }

// Connections is what the carrier needs.
const Connections = flights

// call is one caller's command. What travels is a copy: a caller who has given up no longer sees it.
type call struct {
	cmd  *travelling
	size int
	over <-chan struct{} // the caller has given up
	done chan struct{}
}

// travelling is a command in a pipeline that keeps the answer that it was given. When the connection breaks after some of the
// answers, go-redis writes that error into every command of the pipeline that has none, also into those that were answered;
// and when a connection is refused by an error of Redis (a password that has changed), into none.
type travelling struct {
	*redis.Cmd
	answered bool
}

// SetErr is called by go-redis after each answer that it has read as a whole, with nil or what Redis said instead, and for
// those of which it has read none, or a part, with why.
func (t *travelling) SetErr(err error) {
	if !t.answered {
		t.answered = answers(err)
		t.Cmd.SetErr(err)
	}
}

// DialHook implements redis.Hook.
func (h *Hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook: what is a pipeline already stays one.
func (h *Hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (h *Hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		script, ok := cmd.(*redis.Cmd)
		if !ok || ctx.Err() != nil {
			return next(ctx, cmd)
		}
		size, ok := measure(script)
		if !ok {
			return next(ctx, cmd)
		}
		if ctx.Done() == nil && h.alone() {
			defer h.land()
			return next(ctx, cmd)
		}
		c := &call{cmd: &travelling{Cmd: redis.NewCmd(ctx, cmd.Args()...)}, size: size, over: ctx.Done(), done: make(chan struct{})}
		h.board(c)
		select {
		case <-c.done:
		case <-ctx.Done():
			cmd.SetErr(ctx.Err())
			return ctx.Err()
		}
		if !c.cmd.answered {
			return next(ctx, cmd)
		}
		val, err := c.cmd.Result()
		script.SetVal(val)
		script.SetErr(err)
		return err
	}
}

// alone takes a flight for a caller when all others are on the ground and nobody waits. He goes by himself, which spares
// two changes of goroutine; only one whose context never ends may, since nobody looks at it meanwhile.
func (h *Hook) alone() bool {
	runtime.Gosched() // see fly
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.flying > 0 || len(h.waiting) > 0 {
		return false
	}
	h.flying++
	return true
}

// land gives the flight to those who have come to wait since, if any.
func (h *Hook) land() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) > 0 {
		go h.fly()
		return
	}
	h.flying--
}

// board lets the call travel with the next flight, which begins at once unless all are on their way.
func (h *Hook) board(c *call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(h.waiting, c)
	if h.flying < flights {
		h.flying++
		go h.fly()
	}
}

// fly takes what waits until nothing does.
func (h *Hook) fly() {
	for {
		runtime.Gosched() // who is about to call travels along; when nobody is, this takes no time
		calls := h.next()
		if len(calls) == 0 {
			return
		}
		// The errors are in the commands. No caller's context: one that ends must not end the others'.
		_, _ = h.carrier.Pipelined(context.Background(), func(p redis.Pipeliner) error {
			for _, c := range calls {
				_ = p.Process(context.Background(), c.cmd)
			}
			return nil
		})
		for _, c := range calls {
			close(c.done)
		}
	}
}

// next takes from what waits as much as one pipeline may hold, leaving out those whose callers have given up. Nothing:
// the flight is over.
func (h *Hook) next() (calls []*call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	size, taken := 0, 0
	for _, c := range h.waiting {
		if len(calls) == mostCommands || len(calls) > 0 && size+c.size > mostBytes {
			break
		}
		taken++
		select {
		case <-c.over:
		default:
			calls = append(calls, c)
			size += c.size
		}
	}
	h.waiting = append([]*call(nil), h.waiting[taken:]...)
	if len(calls) == 0 {
		h.flying--
	}
	return calls
}

// measure returns about how many bytes a call of a script has. Not ok: it does not travel with others, because it is no
// call of a known script, has an argument that go-redis would have to ask how it is written, or is too big.
func measure(cmd *redis.Cmd) (size int, ok bool) {
	if cmd.Name() != "evalsha" {
		return 0, false
	}
	for _, arg := range cmd.Args() {
		switch v := arg.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		case int, int64, uint64, float64, bool:
			size += 8
		default:
			return 0, false
		}
	}
	return size, size <= mostBytes/2
}

// answers reports whether Redis ran the command and this is what came of it. Of a command without an answer (no
// connection, or lost on the way), and of one that Redis has put off, the caller sees to it himself.
func answers(err error) bool {
	var said redis.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return true
	case !errors.As(err, &said):
		return false
	}
	return !redis.IsLoadingError(err) && !redis.IsReadOnlyError(err) && !redis.IsMasterDownError(err) &&
		!redis.IsClusterDownError(err) && !redis.IsTryAgainError(err) && !redis.IsMaxClientsError(err) && !redis.IsNoReplicasError(err)
}
