package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketName      = "redis.sock"
	socketDirPrefix = "tidings-redis-"
	// socketPathMax is in bytes: macOS and the BSDs hold 104 with the closing
	// zero byte, Linux 108.
	socketPathMax = 103
)

// socket is the path of the child's unix socket, and the directory that was
// made for it, if one was.
type socket struct {
	path string
	dir  string // "" when the caller chose the path
}

// makeSocket takes the wished path or makes a private directory for one. Data
// directories are often too deep for the length a socket's path may have.
func makeSocket(wish string) (socket, error) {
	if wish != "" {
		path, err := filepath.Abs(wish)
		if err != nil {
			return socket{}, fmt.Errorf("socket of Redis: %w", err)
		}
		if len(path) > socketPathMax {
			return socket{}, fmt.Errorf("socket of Redis: the path %s has %d bytes, at most %d work", path, len(path), socketPathMax)
		}
		return socket{path: path}, nil
	}
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dir, err := os.MkdirTemp(parent, socketDirPrefix)
		if err != nil {
			return socket{}, fmt.Errorf("directory for the socket of Redis: %w", err)
		}
		s := socket{path: filepath.Join(dir, socketName), dir: dir}
		if len(s.path) <= socketPathMax {
			return s, nil
		}
		s.remove()
	}
	return socket{}, fmt.Errorf("directory for the socket of Redis: no temporary directory with a short enough path")
}

// remove takes away the socket and its directory. It never removes a tree, so
// that a wrong path costs nothing.
func (s socket) remove() {
	if s.dir == "" || !strings.HasPrefix(filepath.Base(s.dir), socketDirPrefix) {
		return
	}
	_ = os.Remove(filepath.Join(s.dir, socketName))
	_ = os.Remove(s.dir)
}
