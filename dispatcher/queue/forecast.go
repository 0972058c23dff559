package queue

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Forecast lets Asynq's forwarders ask Redis only when something may be due. They ask every second, of each queue, for
// retries and for scheduled tasks that are, which is most of what an idle worker does. A Forecast hangs in the client that
// the servers dequeue with: it looks when the first task is due, and answers itself until then.
//
// What this process puts there it sees, in whatever client it hangs, and looks again. What another process puts there is
// moved by that one when it is due, or, should it die before, by this one, which looks every lookAhead at least.
type Forecast struct {
	mu   sync.Mutex
	sets map[string]outlook // of tasks that wait for their time, by key
}

type outlook struct {
	clear time.Time // nothing is due before
	puts  int       // of this process: a look that one of them has overtaken tells nothing
}

// lookAhead is how late a task may be moved that a process put there which then died; Asynq's own forwarders are as late.
const lookAhead = 5 * time.Second

// NewForecast returns a Forecast that has not looked.
func NewForecast() *Forecast { return &Forecast{sets: map[string]outlook{}} }

// DialHook implements redis.Hook.
func (f *Forecast) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook. Asynq puts no task anywhere by a pipeline.
func (f *Forecast) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (f *Forecast) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		forward, set, _, ok := forwarding(cmd)
		if !ok {
			err := next(ctx, cmd)
			f.put(cmd) // also with an error: it may have happened
			return err
		}
		due, err := f.due(ctx, set, next)
		switch {
		case err != nil:
			forward.SetErr(err)
			return err
		case due:
			return next(ctx, cmd)
		}
		forward.SetVal(int64(0))
		return nil
	}
}

// due reports whether something in the set is due, and looks if it does not know.
func (f *Forecast) due(ctx context.Context, set string, next redis.ProcessHook) (bool, error) {
	f.mu.Lock()
	seen := f.sets[set]
	f.mu.Unlock()
	now := time.Now()
	if now.Before(seen.clear) {
		return false, nil
	}
	first := redis.NewZSliceCmd(ctx, "zrange", set, 0, 0, "withscores")
	if err := next(ctx, first); err != nil {
		return false, err
	}
	clear := now.Add(lookAhead)
	for _, task := range first.Val() {
		if at := time.Unix(int64(task.Score), 0); at.Before(clear) {
			clear = at
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sets[set].puts == seen.puts {
		f.sets[set] = outlook{clear, seen.puts}
	}
	return !now.Before(clear), nil
}

// put notes that a script may have put a task into the sets that are among its keys.
func (f *Forecast) put(cmd redis.Cmder) {
	args := cmd.Args()
	if name := cmd.Name(); name != "evalsha" && name != "eval" || len(args) < 3 {
		return
	}
	keys, _ := args[2].(int)
	for _, arg := range args[3:min(3+keys, len(args))] {
		if key, _ := arg.(string); waitingSet(key) {
			f.mu.Lock()
			f.sets[key] = outlook{puts: f.sets[key].puts + 1}
			f.mu.Unlock()
		}
	}
}

// waitingSet recognises the keys of Asynq's sets of tasks that wait for their time.
func waitingSet(key string) bool {
	return strings.HasPrefix(key, "asynq:{") && (strings.HasSuffix(key, ":retry") || strings.HasSuffix(key, ":scheduled"))
}

// forwarding recognises Asynq's script that moves tasks whose time has come, and says from where and into which queue. A test
// holds Asynq to it.
func forwarding(cmd redis.Cmder) (script *redis.Cmd, set, queue string, ok bool) {
	script, ok = cmd.(*redis.Cmd)
	if !ok || cmd.Name() != "evalsha" && cmd.Name() != "eval" || len(cmd.Args()) != 9 {
		return nil, "", "", false
	}
	set, _ = cmd.Args()[3].(string)
	to, _ := cmd.Args()[4].(string)
	queue, pending := queueOf(to, ":pending")
	return script, set, queue, waitingSet(set) && pending
}
