package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockName = "tidings.lock"
	lockPoll = 20 * time.Millisecond
	// lockGrace is how long a Redis may take to end after its Tidings died.
	lockGrace = 10 * time.Second
)

// dirLock is held by us and, through the inherited file, by the child: a Redis
// that has outlived its Tidings still keeps others from its append-only file.
// The file stays; removing it would let two processes lock two files.
type dirLock struct {
	file *os.File
}

// holder is what the lock file tells about who holds it, or held it last.
type holder struct {
	Pid       int       `json:"pid"`
	Host      string    `json:"host"`
	Since     time.Time `json:"since"`
	SocketDir string    `json:"socket_dir,omitempty"`
	Socket    string    `json:"socket,omitempty"`
}

// takeLock locks the directory. A lock of a living process is ErrInUse at once;
// one whose process is dead is waited for, since its Redis is just ending.
func takeLock(ctx context.Context, dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of the data directory: %w", err)
	}
	l := &dirLock{file: file}
	if err := l.wait(ctx, dir); err != nil {
		_ = file.Close()
		return nil, err
	}
	// Whoever was killed could not tidy up; nobody uses its socket any more.
	last := l.holder()
	socket{dir: last.SocketDir}.remove()
	return l, nil
}

func (l *dirLock) wait(ctx context.Context, dir string) error {
	deadline := time.Now().Add(lockGrace)
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		held, err := tryLock(l.file)
		if err != nil {
			return fmt.Errorf("lock the data directory %s: %w", dir, err)
		}
		if !held {
			return nil
		}
		by := l.holder()
		if by.living() || time.Now().After(deadline) {
			return fmt.Errorf("%w: %s is held by %s", ErrInUse, dir, by)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s is held by %s: %w", ErrInUse, dir, by, ctx.Err())
		case <-poll.C:
		}
	}
}

// record writes who holds the lock, for the people and processes it turns away.
func (l *dirLock) record(sock socket) error {
	host, _ := os.Hostname() // only for the reader; unknown is fine
	text, err := json.Marshal(holder{
		Pid: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second), SocketDir: sock.dir, Socket: sock.path,
	})
	if err != nil {
		return fmt.Errorf("write the lock of the data directory: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write the lock of the data directory: %w", err)
	}
	if _, err := l.file.WriteAt(text, 0); err != nil {
		return fmt.Errorf("write the lock of the data directory: %w", err)
	}
	return nil
}

// release forgets the holder and lets go. A fork of Redis may hold the lock for
// a moment more: without a name in the file that moment is waited for.
func (l *dirLock) release() {
	_ = l.file.Truncate(0)
	_ = l.file.Close()
}

// holder is the zero value while the file tells nothing.
func (l *dirLock) holder() holder {
	var h holder
	text := make([]byte, 4096)
	n, _ := l.file.ReadAt(text, 0)
	if json.Unmarshal(text[:n], &h) != nil {
		return holder{}
	}
	return h
}

// living reports whether the holder may still run. Of another machine we
// cannot know, so it does.
func (h holder) living() bool {
	if h.Pid == 0 {
		return false
	}
	if host, _ := os.Hostname(); host != h.Host {
		return true
	}
	process, err := os.FindProcess(h.Pid)
	if err != nil {
		return true
	}
	defer func() { _ = process.Release() }()
	return !errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func (h holder) String() string {
	switch {
	case h.Pid == 0:
		return "a process that left no name"
	case h.living():
		return fmt.Sprintf("process %d on host %s since %s", h.Pid, h.Host, h.Since.Format(time.RFC3339))
	default:
		return fmt.Sprintf("a Redis that process %d, now gone, left behind", h.Pid)
	}
}
