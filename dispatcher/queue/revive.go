package queue

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reviver is a hook that lets Asynq end its tasks after an outage. Asynq writes the end of a task (done, retry, archive)
// with the deadline of its lease. When Redis is away for longer, its syncer goes on trying with that same context, which
// has ended: every try fails before it is sent, the task stays active, and Asynq's recoverer runs it again about 105 s
// later. The hook gives such a command a context that lives. (Our claim would drop the second run; but until then the task would look active to operators.)
type Reviver struct{}

// reviveFor bounds a revived command.
const reviveFor = 5 * time.Second

// DialHook implements redis.Hook.
func (Reviver) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (Reviver) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (Reviver) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if ctx.Err() != nil && endsTask(cmd) {
			alive, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviveFor)
			defer cancel()
			ctx = alive
		}
		return next(ctx, cmd)
	}
}

// endsTask recognises the scripts that take a task out of the active list: that list is their first or second key, and
// the lease is another. A test holds Asynq to it.
func endsTask(cmd redis.Cmder) bool {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return false
	}
	active, lease := false, false
	args := cmd.Args()
	for _, arg := range args[min(3, len(args)):min(6, len(args))] {
		key, _ := arg.(string)
		active = active || strings.HasPrefix(key, "asynq:{") && strings.HasSuffix(key, ":active")
		lease = lease || strings.HasPrefix(key, "asynq:{") && strings.HasSuffix(key, ":lease")
	}
	_, dequeue := dequeued(cmd)
	return active && lease && !dequeue
}
