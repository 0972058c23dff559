package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/embedded"
)

const (
	merchant = "acme"
	channel  = "web"
	token    = "faults-token" //nolint:gosec // of a run that ends in minutes, on loopback
	// sealingKey of the run: base64 of 32 bytes.
	sealingKey = "ZmF1bHRzLWZhdWx0cy1mYXVsdHMtZmF1bHRzLWZhdWw="
)

// Fleet is a redis-server and the Tidings processes on it.
type Fleet struct {
	plan   Plan
	log    *slog.Logger
	dir    string
	binary string
	config string

	mu      sync.Mutex
	redis   *embedded.Redis
	apis    []*process
	workers []*process
	rdb     *redis.Client
	store   *store.Store
}

// process is one Tidings.
type process struct {
	name string
	args []string
	base string // http://127.0.0.1:port
	cmd  *exec.Cmd
	done chan struct{}
}

// StartFleet builds Tidings and starts everything.
func StartFleet(ctx context.Context, plan Plan, log *slog.Logger) (f *Fleet, err error) {
	f = &Fleet{plan: plan, log: log, binary: plan.Binary}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "tidings-faults-"); err != nil {
		return f, err
	}
	if f.binary == "" {
		f.binary = filepath.Join(f.dir, "tidings")
		build := exec.CommandContext(ctx, "go", "build", "-o", f.binary, "github.com/tidings/tidings/cmd/tidings")
		if text, err := build.CombinedOutput(); err != nil {
			return f, fmt.Errorf("build tidings: %w: %s", err, text)
		}
	}
	server, ok := embedded.Find()
	if !ok {
		return f, errors.New("no redis-server or valkey-server on the PATH: the suite needs a real one")
	}
	f.redis, err = embedded.Start(ctx, embedded.Config{Server: server, DataDir: filepath.Join(f.dir, "redis"), Socket: filepath.Join(f.dir, "r.sock")})
	if err != nil {
		return f, err
	}
	f.config = filepath.Join(f.dir, "tidings.yaml")
	text := fmt.Sprintf("redis-url: unix://%s\nsealing-key: %s\nallow-target: [127.0.0.0/8]\nlog-level: warn\nsweep: %t\n"+
		"tokens:\n  - {name: faults, hash: %q, merchants: [%s], role: admin}\n",
		f.redis.Options().Addrs[0], sealingKey, !plan.NoSweep, hash(token), merchant)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		return f, err
	}
	f.rdb = redis.NewClient(&redis.Options{Network: "unix", Addr: f.redis.Options().Addrs[0], ContextTimeoutEnabled: true})
	sealer, err := store.NewSealer([]byte("faults-faults-faults-faults-faul"))
	if err != nil {
		return f, err
	}
	f.store = store.New(store.Config{Redis: f.rdb, Sealer: sealer})
	for i := range plan.APIs {
		f.apis = append(f.apis, f.newProcess(fmt.Sprintf("api-%d", i), "api"))
	}
	for i := range plan.Workers {
		f.workers = append(f.workers, f.newProcess(fmt.Sprintf("worker-%d", i), "worker"))
	}
	if plan.NoKeep { // somebody has the keeper's turn, and does not use it
		if _, err := f.store.Keeper(ctx, "faults", time.Hour); err != nil {
			return f, err
		}
	}
	return f, f.AllUp(ctx)
}

func (f *Fleet) newProcess(name, role string) *process {
	port := freePort()
	return &process{name: name, base: fmt.Sprintf("http://127.0.0.1:%d", port),
		args: []string{"serve", "--config", f.config, "--role", role, "--listen", fmt.Sprintf("127.0.0.1:%d", port)}}
}

func freePort() int {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// start runs the process if it does not run.
func (f *Fleet) start(p *process) error {
	if p.cmd != nil {
		select {
		case <-p.done:
		default:
			return nil
		}
	}
	out, err := os.OpenFile(filepath.Join(f.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(f.binary, p.args...) //nolint:noctx // its end is what this program is about
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.done = done
	cmd := p.cmd
	go func() { _ = cmd.Wait(); close(done) }()
	return nil
}

func (p *process) signal(s syscall.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// AllUp starts what does not run and waits until all are ready.
func (f *Fleet) AllUp(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.redisUp(ctx); err != nil {
		return err
	}
	all := append(append([]*process(nil), f.apis...), f.workers...)
	for _, p := range all {
		if err := f.start(p); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, p := range all {
		for !ready(ctx, p.base) {
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return fmt.Errorf("%s is not ready: %w", p.name, err)
			}
		}
	}
	return nil
}

func (f *Fleet) redisUp(ctx context.Context) (err error) {
	select {
	case <-f.redis.Done():
		f.redis, err = embedded.Start(ctx, f.redis.Config())
	default:
	}
	return err
}

func ready(ctx context.Context, base string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health/ready", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Close ends every process that was started, and removes the directory.
func (f *Fleet) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range append(append([]*process(nil), f.apis...), f.workers...) {
		if p.cmd == nil {
			continue
		}
		p.signal(syscall.SIGKILL)
		<-p.done
	}
	if f.rdb != nil {
		_ = f.rdb.Close()
	}
	if f.redis != nil {
		_ = f.redis.Close()
	}
	if f.dir != "" && os.Getenv("TIDINGS_FAULTS_KEEP") == "" {
		_ = os.RemoveAll(f.dir)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
