package queue

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Fetcher lets Asynq dequeue several tasks in one round trip. An Asynq server fetches one task after the other, each by a
// script of its own; while tasks are plentiful that is what holds a worker up. A Fetcher hangs in the client that the
// servers dequeue with, inside the Bell: a dequeue that found a task makes the next one of that queue take two, then four,
// and what is left over goes to the dequeues after it, of any server in this process. A dequeue that finds fewer tasks than
// it asked for makes the next one ask for one, by Asynq's own script.
//
// Nothing is fetched that could not begin at once: never more than half of the handlers that are free. It is active, for
// Asynq, from when it is fetched, and keeps the lease that the fetch gave it; it is handed out by the next dequeue, which
// comes within microseconds while a handler is free. What a process that is killed had fetched and not begun is like what
// it had dequeued and not claimed: the sweep enqueues it anew.
type Fetcher struct {
	mu     sync.Mutex
	stocks map[string]*stock
	room   func() int // handlers that are free; nil: fetch one at a time
}

// stock is what has been fetched of one queue. Its lock is held during a fetch, so that no dequeue reports an empty queue
// while another is fetching its last tasks.
type stock struct {
	mu    sync.Mutex
	tasks []string // id and message by turns, the next first
	ask   int      // how many the next fetch may take
	args  []any    // of Asynq's dequeue script: 4, pending, paused, active, lease, end of the lease, prefix of tasks
	done  bool     // handed back: what comes now fetches for itself
}

const (
	// mostFetched bounds one fetch.
	mostFetched = 16
	// asynqDequeue is the SHA-1 of the only script that ours does the work of (Asynq v0.26.0). An Asynq that dequeues in
	// another way is left alone, and a test says so.
	asynqDequeue = "a8153319360adc71cdc370107f8ab9786f204765"
)

// NewFetcher returns a Fetcher that fetches one task at a time until it is opened.
func NewFetcher() *Fetcher { return &Fetcher{stocks: map[string]*stock{}} }

// Open lets it fetch more, as long as there is room: handlers that are free. The Worker does so.
func (f *Fetcher) Open(room func() int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = room
}

// Close hands back what nobody has dequeued; from now on every fetch is of one. With an error it is left to the sweep.
func (f *Fetcher) Close(ctx context.Context, rdb redis.UniversalClient) (err error) {
	f.mu.Lock()
	stocks := f.stocks
	f.stocks, f.room = map[string]*stock{}, nil
	f.mu.Unlock()
	for _, s := range stocks {
		err = errors.Join(err, s.handBack(ctx, rdb))
	}
	return err
}

// of returns the stock of a queue, and how many of its tasks may be fetched at most.
func (f *Fetcher) of(queue string) (s *stock, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room == nil {
		return nil, 1
	}
	s = f.stocks[queue]
	if s == nil {
		s = &stock{ask: 1}
		f.stocks[queue] = s
	}
	return s, min(mostFetched, f.room()/2)
}

// DialHook implements redis.Hook.
func (f *Fetcher) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (f *Fetcher) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (f *Fetcher) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		queue, ok := dequeued(cmd)
		dequeue, isCmd := cmd.(*redis.Cmd)
		if !ok || !isCmd || cmd.Args()[1] != asynqDequeue {
			return next(ctx, cmd)
		}
		s, most := f.of(queue)
		if s == nil {
			return next(ctx, cmd)
		}
		return s.dequeue(ctx, dequeue, most, next)
	}
}

func (s *stock) dequeue(ctx context.Context, cmd *redis.Cmd, most int, next redis.ProcessHook) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ask := min(s.ask, most)
	switch {
	case len(s.tasks) > 0:
	case s.done || ask <= 1:
		err := next(ctx, cmd)
		s.found(1, err == nil)
		return err
	default:
		if err := s.fetch(ctx, cmd, ask, next); err != nil {
			cmd.SetErr(err)
			return err
		}
	}
	if len(s.tasks) == 0 {
		cmd.SetErr(redis.Nil)
		return redis.Nil
	}
	cmd.SetVal(s.tasks[1])
	s.tasks = s.tasks[2:]
	return nil
}

// found decides how many the next fetch may take.
func (s *stock) found(asked int, all bool) {
	s.ask = 1
	if all {
		s.ask = min(2*asked, mostFetched)
	}
}

// fetch runs our script instead of Asynq's, with its keys and arguments.
func (s *stock) fetch(ctx context.Context, dequeue *redis.Cmd, n int, next redis.ProcessHook) error {
	s.args = dequeue.Args()[2:]
	run := func(name, script string) ([]string, error) {
		cmd := redis.NewCmd(ctx, append(append([]any{name, script}, s.args...), n)...)
		if err := next(ctx, cmd); err != nil {
			return nil, err
		}
		return cmd.StringSlice()
	}
	tasks, err := run("evalsha", fetchScript.Hash())
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		tasks, err = run("eval", fetchText)
	}
	s.tasks = tasks
	s.found(n, len(tasks) == 2*n)
	return err
}

// handBack makes pending again what was fetched and nobody dequeued.
func (s *stock) handBack(ctx context.Context, rdb redis.UniversalClient) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	if len(s.tasks) == 0 {
		return nil
	}
	args := []any{s.args[6]}
	for task := range slices.Chunk(s.tasks, 2) {
		args = append(args, task[0])
	}
	s.tasks = nil
	keys := []string{s.args[1].(string), s.args[3].(string), s.args[4].(string)} // dequeued has seen that they are strings
	return handBackScript.Run(ctx, rdb, keys, args...).Err()
}
