package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/embedded"
)

// ErrNoRedis says that there is nothing to measure with.
var ErrNoRedis = errors.New("no redis-server or valkey-server on the PATH: the bench needs a real one")

// stand is the processes of one measurement. Whatever opened, close closes, last opened first.
type stand struct {
	receivers *receivers
	dir       string
	redis     *embedded.Redis // nil where only the bare loop is measured
	network   string          // "unix" or "tcp": how that is reached
	address   string          // where
	rdb       *redis.Client
	tidings   []*tidings // the API is the first's; none: nothing of Tidings is measured
	token     string
	key       []byte // that Tidings seals with
	profiled  string // file of the profile; "" for none
	closers   []func()
}

// tidings is one process of it.
type tidings struct {
	process *process
	base    string // of its API
}

// parts of a stand.
type parts struct {
	targets int
	redis   bool
	role    string // of the process of Tidings; "": there is none
}

// Roles of a process of Tidings.
const (
	roleAll    = "all"
	roleAPI    = "api"
	roleWorker = "worker"
)

func newStand(ctx context.Context, cfg Config, p parts) (s *stand, err error) {
	s = &stand{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = tempDir(); err != nil {
		return s, err
	}
	s.opened(func() { _ = os.RemoveAll(s.dir) })
	if s.receivers, err = startReceivers(ctx, cfg, s.dir, p.targets); err != nil {
		return s, err
	}
	s.opened(s.receivers.process.kill)
	if p.redis {
		if err := s.openRedis(ctx, cfg); err != nil {
			return s, err
		}
	}
	if p.role == "" {
		return s, nil
	}
	if err := s.configure(cfg); err != nil {
		return s, err
	}
	return s, s.openTidings(ctx, cfg, p.role, 1)
}

func (s *stand) opened(closer func()) { s.closers = append(s.closers, closer) }

func (s *stand) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

func (s *stand) openRedis(ctx context.Context, cfg Config) (err error) {
	server, found := embedded.Find()
	if !found {
		return ErrNoRedis
	}
	s.redis, err = embedded.Start(ctx, embedded.Config{Server: server, DataDir: filepath.Join(s.dir, "redis"), Socket: filepath.Join(s.dir, "r.sock")})
	if err != nil {
		return err
	}
	s.opened(func() { _ = s.redis.Kill() }) // nothing of it is kept
	s.network, s.address = "unix", s.redis.Options().Addrs[0]
	if cfg.TCP {
		if err := s.listenTCP(ctx); err != nil {
			return err
		}
	}
	s.rdb = s.client(8)
	s.opened(func() { _ = s.rdb.Close() })
	return nil
}

// listenTCP has Redis listen on a free port of 127.0.0.1, too, where it is reached from now on.
func (s *stand) listenTCP(ctx context.Context) error {
	rdb := s.client(1)
	defer rdb.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().(*net.TCPAddr)
	_ = listener.Close() // Redis wants it now
	if err := rdb.ConfigSet(ctx, "bind", "127.0.0.1").Err(); err != nil {
		return fmt.Errorf("bind Redis to 127.0.0.1: %w", err)
	}
	if err := rdb.ConfigSet(ctx, "port", strconv.Itoa(address.Port)).Err(); err != nil {
		return fmt.Errorf("have Redis listen on a port: %w", err)
	}
	s.network, s.address = "tcp", address.String()
	return nil
}

// redisURL is that of the settings of Tidings.
func (s *stand) redisURL() string {
	if s.network == "tcp" {
		return "redis://" + s.address
	}
	return "unix://" + s.address
}

// client of Redis, as Tidings makes its own.
func (s *stand) client(size int) *redis.Client {
	return redis.NewClient(&redis.Options{Network: s.network, Addr: s.address, ContextTimeoutEnabled: true, PoolSize: size})
}

// configure writes the settings of Tidings: the usual ones but for the rate limit of a token, as one token makes all the load.
func (s *stand) configure(cfg Config) (err error) {
	s.token, s.key = rand.Text(), store.NewSealingKey()
	sum := sha256.Sum256([]byte(s.token))
	text := fmt.Sprintf("redis-url: %s\nlisten: 127.0.0.1:0\nsealing-key: %s\nallow-target: [127.0.0.0/8]\nrate-limit: 0\n"+
		"tokens:\n  - {name: bench, hash: \"sha256:%s\", merchants: [\"*\"], role: admin}\n",
		s.redisURL(), base64.StdEncoding.EncodeToString(s.key), hex.EncodeToString(sum[:]))
	if err := os.WriteFile(s.settings(), []byte(text), 0o600); err != nil {
		return err
	}
	s.profiled, err = profileFile(cfg)
	return err
}

// settings is the file that configure writes.
func (s *stand) settings() string { return filepath.Join(s.dir, "tidings.yaml") }

// base of the API.
func (s *stand) base() string { return s.tidings[0].base }

// openTidings runs the real thing, n processes in one role, and returns when all are ready.
func (s *stand) openTidings(ctx context.Context, cfg Config, role string, n int) error {
	started, faults := make([]*tidings, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { started[i], faults[i] = s.startTidings(ctx, cfg, role) })
	}
	wg.Wait()
	for _, t := range started {
		if t != nil {
			s.tidings = append(s.tidings, t)
			s.opened(t.process.kill)
		}
	}
	return errors.Join(faults...)
}

var saidBase = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// startTidings returns the process, too, when it runs and does not become ready.
func (s *stand) startTidings(ctx context.Context, cfg Config, role string) (*tidings, error) {
	args := []string{"--config", s.settings(), "--role", role}
	if s.profiled != "" {
		args = append(args, "--profile", s.profiled)
	}
	p, line, err := startProcess(ctx, cfg, s.dir, "serve", args...)
	if err != nil {
		return nil, err
	}
	t := &tidings{process: p, base: saidBase.FindString(line)}
	if t.base == "" {
		return t, fmt.Errorf("start Tidings: it said %q", line)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := ask(ctx, http.MethodGet, t.base+"/health/ready", nil, nil)
		if err == nil {
			return t, nil
		}
		if wait(ctx, 10*time.Millisecond) != nil {
			return t, fmt.Errorf("wait until Tidings is ready: %w", err)
		}
	}
}
