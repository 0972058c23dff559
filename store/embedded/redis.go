package embedded

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// Options say how to reach it: the path of its unix socket, or 127.0.0.1:port
// of miniredis. Callers build, and close, their own clients. Contexts are
// honoured; go-redis ignores their deadlines unless told.
func (r *Redis) Options() *redis.UniversalOptions {
	return &redis.UniversalOptions{Addrs: []string{r.addr}, ContextTimeoutEnabled: true}
}

// Config is what it was started with, defaults filled in. After a Kill, Start
// with it brings the same data back, and at the same address if Socket was set.
func (r *Redis) Config() Config { return r.cfg }

// Durable reports whether the data survives a restart: true for the child
// process, false for memory.
func (r *Redis) Durable() bool { return r.child != nil }

// Describe is one line for people: which Redis, and where it keeps the data.
func (r *Redis) Describe() string { return r.describe }

// Pid is the process id of the child, 0 for memory.
func (r *Redis) Pid() int {
	if r.child == nil {
		return 0
	}
	return r.child.cmd.Process.Pid
}

// Done is closed when the child ended without Close, also by Kill. It is never
// closed for memory.
func (r *Redis) Done() <-chan struct{} {
	if r.child == nil {
		return r.memory.done
	}
	return r.child.done
}

// Kill sends SIGKILL and waits for the end, for fault tests. Memory has no
// process to kill: that is an error.
func (r *Redis) Kill() error {
	if r.child == nil {
		return errors.New("kill Redis: it is in memory and has no process")
	}
	return r.child.kill()
}

// Close ends it: SIGTERM, up to 10 s for Redis to write what it holds, then
// SIGKILL, which is an error. Closing again, or after the child ended by
// itself, does nothing and is no error.
func (r *Redis) Close() error {
	if r.child == nil {
		r.memory.close()
		return nil
	}
	return r.child.close()
}
