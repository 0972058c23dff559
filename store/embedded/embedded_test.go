package embedded_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/embedded"
)

// TestMain lets this binary play two more roles: a Tidings to be killed, and a
// Redis that will not start. Redis is the only one given --port first.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(parentRole) != "":
		os.Exit(beParent(os.Getenv(parentRole)))
	case len(os.Args) > 1 && os.Args[1] == "--port":
		_, _ = os.Stdout.WriteString(refusal + "\n")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

const refusal = "this Redis will not start today"

func needServer(t *testing.T) {
	t.Helper()
	if _, ok := embedded.Find(); ok {
		return
	}
	if os.Getenv("TIDINGS_REQUIRE_REDIS") == "1" {
		t.Fatal("no redis-server on the PATH, and TIDINGS_REQUIRE_REDIS=1")
	}
	t.Skip("no redis-server on the PATH")
}

func start(t *testing.T, cfg embedded.Config) *embedded.Redis {
	t.Helper()
	r, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func client(t *testing.T, r *embedded.Redis) redis.UniversalClient {
	t.Helper()
	rdb := redis.NewUniversalClient(r.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func set(t *testing.T, rdb redis.UniversalClient, value string) {
	t.Helper()
	if err := rdb.Set(t.Context(), "key", value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func wantKey(t *testing.T, rdb redis.UniversalClient, want string) {
	t.Helper()
	got, err := rdb.Get(t.Context(), "key").Result()
	if err != nil || got != want {
		t.Errorf("key = %q, %v; want %q", got, err, want)
	}
}

func TestChildSaysWhatItIs(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := filepath.Join(t.TempDir(), "deep", "data")
	r := start(t, embedded.Config{DataDir: dir})
	if !r.Durable() || r.Pid() == 0 {
		t.Errorf("Durable = %v, Pid = %d", r.Durable(), r.Pid())
	}
	if got := r.Describe(); !strings.Contains(got, "-server ") || !strings.HasSuffix(got, "append-only file in "+dir) {
		t.Errorf("Describe = %q", got)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
}

func TestChildKeepsThePromisedSettings(t *testing.T) {
	t.Parallel()
	needServer(t)
	rdb := client(t, start(t, embedded.Config{DataDir: t.TempDir()}))
	for name, want := range map[string]string{
		"port":             "0", // nobody else on the machine may reach it
		"appendonly":       "yes",
		"appendfsync":      "everysec",
		"save":             "",
		"rdbcompression":   "no",
		"maxmemory-policy": "noeviction",
		"databases":        "16",
		"unixsocketperm":   "700",
	} {
		got, err := rdb.ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s = %q, %v; want %q", name, got[name], err, want)
		}
	}
}

func TestFailedStarts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120), "s")
	tests := map[string]struct {
		cfg  embedded.Config
		want []string
	}{
		"no such binary":   {embedded.Config{Server: "/nowhere/redis-server"}, []string{"/nowhere/redis-server", "no such file"}},
		"ends at once":     {embedded.Config{Server: self}, []string{self, "exit status 3", refusal}},
		"socket too deep":  {embedded.Config{Server: self, Socket: deep}, []string{deep, "at most 103"}},
		"nowhere to write": {embedded.Config{Server: self, DataDir: "/dev/null/data"}, []string{"data directory", "/dev/null"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.cfg.DataDir == "" {
				tt.cfg.DataDir = t.TempDir()
			}
			r, err := embedded.Start(t.Context(), tt.cfg)
			if err == nil {
				_ = r.Close()
				t.Fatal("it started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestNoDataDirIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := embedded.Start(t.Context(), embedded.Config{Server: "redis-server"}); err == nil {
		t.Error("it started without a data directory")
	}
}

func TestStartHonoursItsContext(t *testing.T) {
	t.Parallel()
	needServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := embedded.Start(ctx, embedded.Config{DataDir: dir}); err == nil {
		t.Fatal("it started")
	}
	start(t, embedded.Config{DataDir: dir}) // and it left nothing running there
}
