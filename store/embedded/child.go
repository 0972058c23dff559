package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a child may take to end after SIGTERM, and to be
	// gone after SIGKILL.
	stopGrace = 10 * time.Second
	// pipeGrace bounds the wait for the log to close: a fork of Redis that
	// rewrites the append-only file holds it open for longer than Redis lives.
	pipeGrace = time.Second
)

// child is a redis-server process and what has to be put away after it.
type child struct {
	cmd     *exec.Cmd
	log     *logTail
	sock    socket
	lock    *dirLock
	closing atomic.Bool
	done    chan struct{} // closed when it ended without being asked to
	ended   chan struct{} // closed when it ended and everything is put away
	exit    error         // how it ended; read it after ended
}

func newChild(cfg Config, server, dir string, sock socket, lock *dirLock) *child {
	c := &child{
		log:   &logTail{logger: cfg.Logger},
		sock:  sock,
		lock:  lock,
		done:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	c.cmd = exec.Command(server, arguments(cfg, dir, sock.path)...)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.WaitDelay = pipeGrace
	c.cmd.Env = environment()
	prepare(c.cmd, lock.file)
	return c
}

// arguments are the whole configuration of the child. No file is read, so that
// nothing on the machine can change the durability that Describe promises.
func arguments(cfg Config, dir, sock string) []string {
	return []string{
		"--port", "0", // no TCP: only who may open the socket gets in
		"--unixsocket", sock,
		"--unixsocketperm", "700",
		"--protected-mode", "yes",
		"--daemonize", "no",
		"--loglevel", "notice",
		"--dir", dir,
		"--databases", strconv.Itoa(cfg.Databases),
		"--appendonly", "yes",
		"--appendfsync", cfg.AppendFsync,
		"--save", "", // the append-only file is enough
		"--rdbcompression", "no", // what is large is packed already: rewriting the file takes a third of the CPU, and it is a fourteenth larger
		"--maxmemory-policy", "noeviction",
	}
}

// environment is ours without the settings of Tidings: Redis has no use for
// its keys and tokens.
func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TIDINGS_") {
			env = append(env, kv)
		}
	}
	return env
}

// start starts the process and returns; a failure has put everything away.
func (c *child) start() error {
	started := make(chan error, 1)
	go c.live(started)
	return <-started
}

// live starts the process and stays until it has ended. The parent-death
// signal of Linux fires when the *thread* that forked ends, so this goroutine
// keeps its thread for as long as the child lives.
func (c *child) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.cmd.Start(); err != nil {
		c.putAway()
		started <- err
		return
	}
	started <- nil
	c.exit = c.cmd.Wait()
	c.putAway()
	if !c.closing.Load() {
		close(c.done)
	}
	close(c.ended)
}

func (c *child) putAway() {
	c.sock.remove()
	c.lock.release()
}

// kill ends the child at once and waits until everything is put away.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill Redis: %w", err)
	}
	if !c.endsWithin(stopGrace) {
		return fmt.Errorf("kill Redis: process %d still there after %s", c.cmd.Process.Pid, stopGrace)
	}
	return nil
}

func (c *child) close() error {
	c.closing.Store(true)
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil && !c.endsWithin(stopGrace) {
		err = fmt.Errorf("still there %s after SIGTERM", stopGrace)
	}
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		<-c.ended
		return nil
	}
	return errors.Join(fmt.Errorf("close Redis, now killed: %w", err), c.kill())
}

func (c *child) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.ended:
		return true
	case <-timer.C:
		return false
	}
}
