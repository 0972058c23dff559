package storetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A home holds the data directory and the socket of one redis-server for
// tests. Its name carries the process id of its owner.
const (
	homePrefix = "tidings-test-redis-"
	dataName   = "data"
	socketName = "s"
)

// newHome makes a home, and the first time takes away those of test processes
// that were killed before they could do it.
func newHome() (string, error) {
	reapOnce.Do(reap)
	home, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", homePrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("directory of a redis-server for tests: %w", err)
	}
	return home, nil
}

var reapOnce sync.Once

// reap removes the homes whose owner is dead. Their Redis died with it.
func reap() {
	homes, err := filepath.Glob(filepath.Join(os.TempDir(), homePrefix+"*"))
	if err != nil {
		return
	}
	for _, home := range homes {
		if owner, ok := ownerOf(home); ok && dead(owner) {
			_ = os.RemoveAll(home)
		}
	}
}

func ownerOf(home string) (pid int, ok bool) {
	text, _, ok := strings.Cut(strings.TrimPrefix(filepath.Base(home), homePrefix), "-")
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(text)
	return pid, err == nil && pid > 0
}

// dead is true only when the system says so.
func dead(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }()
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
