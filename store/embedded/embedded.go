// Package embedded brings Tidings its own Redis, so that it runs on a machine
// with nothing but Go: a private redis-server or valkey-server that keeps
// everything in an append-only file, or, where there is none, an in-memory
// stand-in that keeps nothing.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrInUse says that another process runs a Redis on the data directory. Two
// of them would write over each other's append-only file.
var ErrInUse = errors.New("data directory in use")

// Config says which Redis to start.
type Config struct {
	DataDir     string       // where the append-only file lives; created 0700; needed unless in memory
	Server      string       // path of redis-server or valkey-server; "" = look on the PATH, else in memory
	Socket      string       // path of the unix socket; "" = a fresh one in a private temporary directory
	InMemory    bool         // never a child process, always miniredis
	Logger      *slog.Logger // gets each line of the child at debug; nil = nobody
	Databases   int          // default 16
	AppendFsync string       // always, everysec or no; default everysec
}

// Redis is a running Redis that ends with this process at the latest.
type Redis struct {
	cfg      Config
	addr     string
	describe string
	child    *child  // nil in memory
	memory   *memory // nil for a child
}

// Find looks for a Redis on the PATH: redis-server, then valkey-server.
func Find() (path string, ok bool) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// Start starts a Redis and returns once it answers. ctx bounds the start, not
// the life of what was started.
//
// It fails when the data directory is in use (ErrInUse), when the server ends
// before it answers (the error carries its last log lines) and when it gives
// no sign of life for 30 s. Loading a long append-only file is a sign of life:
// that wait is bounded by ctx alone.
func Start(ctx context.Context, cfg Config) (*Redis, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Databases == 0 {
		cfg.Databases = 16
	}
	if cfg.AppendFsync == "" {
		cfg.AppendFsync = "everysec"
	}
	server := cfg.Server
	if server == "" && !cfg.InMemory {
		server, _ = Find()
	}
	if cfg.InMemory || server == "" {
		return startMemory(cfg)
	}
	return startChild(ctx, cfg, server)
}

func startMemory(cfg Config) (*Redis, error) {
	m, err := newMemory()
	if err != nil {
		return nil, fmt.Errorf("start the in-memory Redis: %w", err)
	}
	return &Redis{
		cfg:      cfg,
		addr:     m.mini.Addr(),
		describe: "in memory (miniredis): nothing survives a restart",
		memory:   m,
	}, nil
}

func startChild(ctx context.Context, cfg Config, server string) (*Redis, error) {
	dir, err := makeDataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(ctx, dir)
	if err != nil {
		return nil, err
	}
	sock, err := makeSocket(cfg.Socket)
	if err == nil {
		err = lock.record(sock)
	}
	if err != nil {
		sock.remove()
		lock.release()
		return nil, err
	}
	c := newChild(cfg, server, dir, sock, lock)
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", server, err)
	}
	version, err := c.ready(ctx)
	if err != nil {
		_ = c.kill()
		return nil, fmt.Errorf("start %s: %w", server, err)
	}
	return &Redis{
		cfg:      cfg,
		addr:     sock.path,
		describe: fmt.Sprintf("%s, append-only file in %s", version, dir),
		child:    c,
	}, nil
}

// makeDataDir creates the directory and returns its absolute path, for the
// child writes its append-only file relative to it.
func makeDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("a Redis that keeps its data needs a data directory")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return dir, nil
}
