package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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
	redis     *embedded.Redis // nil where only the bare loop is measured
	rdb       *redis.Client
	tidings   *process // nil without
	base      string   // of Tidings' API
	token     string
	profiled  string // file of the profile; "" for none
	closers   []func()
}

// parts of a stand.
type parts struct {
	targets        int
	redis, tidings bool
}

func newStand(ctx context.Context, cfg Config, p parts) (s *stand, err error) {
	s = &stand{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	dir, err := tempDir()
	if err != nil {
		return s, err
	}
	s.opened(func() { _ = os.RemoveAll(dir) })
	if s.receivers, err = startReceivers(ctx, cfg, dir, p.targets); err != nil {
		return s, err
	}
	s.opened(s.receivers.process.kill)
	if p.redis {
		if err := s.openRedis(ctx, dir); err != nil {
			return s, err
		}
	}
	if p.tidings {
		return s, s.openTidings(ctx, cfg, dir)
	}
	return s, nil
}

func (s *stand) opened(closer func()) { s.closers = append(s.closers, closer) }

func (s *stand) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

func (s *stand) openRedis(ctx context.Context, dir string) (err error) {
	server, found := embedded.Find()
	if !found {
		return ErrNoRedis
	}
	s.redis, err = embedded.Start(ctx, embedded.Config{Server: server, DataDir: filepath.Join(dir, "redis"), Socket: filepath.Join(dir, "r.sock")})
	if err != nil {
		return err
	}
	s.opened(func() { _ = s.redis.Kill() }) // nothing of it is kept
	s.rdb = s.client(8)
	s.opened(func() { _ = s.rdb.Close() })
	return nil
}

// client of Redis, as Tidings makes its own.
func (s *stand) client(size int) *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: s.redis.Options().Addrs[0], ContextTimeoutEnabled: true, PoolSize: size})
}

var saidBase = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// openTidings runs the real thing, with its usual settings but for the rate limit of a token: one token makes all the load.
func (s *stand) openTidings(ctx context.Context, cfg Config, dir string) (err error) {
	s.token = rand.Text()
	sum := sha256.Sum256([]byte(s.token))
	text := fmt.Sprintf("redis-url: unix://%s\nlisten: 127.0.0.1:0\nsealing-key: %s\nallow-target: [127.0.0.0/8]\nrate-limit: 0\n"+
		"tokens:\n  - {name: bench, hash: \"sha256:%s\", merchants: [\"*\"], role: admin}\n",
		s.redis.Options().Addrs[0], base64.StdEncoding.EncodeToString(store.NewSealingKey()), hex.EncodeToString(sum[:]))
	file := filepath.Join(dir, "tidings.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if s.profiled, err = profileFile(cfg); err != nil {
		return err
	}
	args := []string{"--config", file}
	if s.profiled != "" {
		args = append(args, "--profile", s.profiled)
	}
	p, line, err := startProcess(ctx, cfg, dir, "serve", args...)
	if err != nil {
		return err
	}
	s.tidings = p
	s.opened(p.kill)
	if s.base = saidBase.FindString(line); s.base == "" {
		return fmt.Errorf("start Tidings: it said %q", line)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := ask(ctx, http.MethodGet, s.base+"/health/ready", nil, nil)
		if err == nil {
			return nil
		}
		if wait(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("wait until Tidings is ready: %w", err)
		}
	}
}
