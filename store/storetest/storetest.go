// Package storetest gives tests a real, empty Redis: miniredis always, and
// databases on a redis-server where this machine has one.
//
// The databases of Server lie on one redis-server per test process. They share
// what Redis does not keep per database: pub/sub channels, scripts, CONFIG and
// FLUSHALL. A test that needs those for itself takes Private.
package storetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/embedded"
)

// requireRedis is the variable that turns a missing redis-server from a skip
// into a failure, for CI.
const requireRedis = "TIDINGS_REQUIRE_REDIS"

// Each runs fn as a subtest against every Redis that this machine has:
// "miniredis", and "redis-server", which is skipped where there is none unless
// TIDINGS_REQUIRE_REDIS=1 makes that a failure. fn may call t.Parallel.
func Each(t *testing.T, fn func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) { fn(t, Mini(t)) })
	t.Run("redis-server", func(t *testing.T) { fn(t, Server(t)) })
}

// Mini gives a client of a miniredis of its own, whose keys expire by
// themselves. Both end with the test.
func Mini(t testing.TB) *redis.Client {
	t.Helper()
	r, err := embedded.Start(t.Context(), embedded.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return client(t, r, 0)
}

// Server gives a client of an empty database on the redis-server of this test
// process. Without a redis-server the test is skipped, or fails with
// TIDINGS_REQUIRE_REDIS=1.
func Server(t testing.TB) *redis.Client {
	t.Helper()
	need(t)
	r, db, err := process.take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.give)
	rdb := client(t, r, db)
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatalf("empty database %d: %v", db, err)
	}
	return rdb
}

// Private starts a redis-server for this test alone, to be killed or stopped.
// After a Kill, embedded.Start with its Config brings the same data back at the
// same address; the test closes what it started so. Without a redis-server it
// does as Server does.
func Private(t testing.TB) *embedded.Redis {
	t.Helper()
	need(t)
	home, err := newHome()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	r, err := embedded.Start(t.Context(), embedded.Config{
		DataDir: filepath.Join(home, dataName),
		Socket:  filepath.Join(home, socketName),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody wants the data: no time is spent on a clean end, and a stopped
	// process ends too.
	t.Cleanup(func() { _ = r.Kill() })
	return r
}

func need(t testing.TB) {
	t.Helper()
	if _, ok := embedded.Find(); ok {
		return
	}
	if os.Getenv(requireRedis) == "1" {
		t.Fatal("no redis-server or valkey-server on the PATH, and " + requireRedis + "=1")
	}
	t.Skip("no redis-server or valkey-server on the PATH")
}

func client(t testing.TB, r *embedded.Redis, db int) *redis.Client {
	opts := r.Options().Simple()
	opts.DB = db
	opts.ContextTimeoutEnabled = true
	rdb := redis.NewClient(opts)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
