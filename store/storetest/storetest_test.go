package storetest_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

func TestEachIsEmptyAndAlone(t *testing.T) {
	t.Parallel()
	for range 3 {
		storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
			n, err := rdb.DBSize(t.Context()).Result()
			if err != nil || n != 0 {
				t.Fatalf("DBSIZE = %d, %v; want an empty database", n, err)
			}
			if err := rdb.Set(t.Context(), "key", t.Name(), 0).Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestParallelTestsDoNotMeet(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
				t.Parallel()
				n, err := rdb.Incr(t.Context(), "counter").Result()
				if err != nil || n != 1 {
					t.Errorf("counter = %d, %v; want 1: it is shared", n, err)
				}
			})
		})
	}
}

// Others rebuild the connection from Options, as Asynq does.
func TestOptionsReachTheSameDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		o := rdb.Options()
		if !o.ContextTimeoutEnabled {
			t.Error("deadlines of contexts are ignored")
		}
		other := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB})
		defer func() { _ = other.Close() }()
		if err := rdb.Set(t.Context(), "key", "same", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := other.Get(t.Context(), "key").Result(); err != nil || got != "same" {
			t.Errorf("key = %q, %v", got, err)
		}
	})
}

func TestPrivateComesBackAtTheSameAddress(t *testing.T) {
	t.Parallel()
	first := storetest.Private(t)
	rdb := redis.NewUniversalClient(first.Options())
	defer func() { _ = rdb.Close() }()
	if err := rdb.Set(t.Context(), "key", "kept", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Start(t.Context(), first.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if got, err := rdb.Get(t.Context(), "key").Result(); err != nil || got != "kept" {
		t.Errorf("key = %q, %v", got, err)
	}
}

// Not parallel, so that no other test of this process uses the server: then
// the end of its one user is the end of the server.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", shortTemp(t))
	t.Run("use", func(t *testing.T) {
		storetest.Server(t)
		storetest.Private(t)
		if homes(t) != 2 {
			t.Errorf("%d homes while in use, want 2", homes(t))
		}
	})
	if homes(t) != 0 {
		t.Errorf("%d homes left behind", homes(t))
	}
}

func homes(t *testing.T) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// shortTemp is a directory near the root: a socket's path has about 100 bytes.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tt-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
