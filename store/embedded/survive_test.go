package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/store/embedded"
)

func TestDataSurvivesClose(t *testing.T) {
	t.Parallel()
	needServer(t)
	cfg := embedded.Config{DataDir: t.TempDir()}
	first := start(t, cfg)
	set(t, client(t, first), "kept")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	select {
	case <-first.Done():
		t.Error("Done tells of an end that we asked for")
	default:
	}
	if _, err := os.Stat(filepath.Dir(first.Options().Addrs[0])); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the socket is still there: %v", err)
	}
	wantKey(t, client(t, start(t, cfg)), "kept")
}

func TestDataSurvivesKillAtTheSameAddress(t *testing.T) {
	t.Parallel()
	needServer(t)
	sockets, err := os.MkdirTemp("", "tidings-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	first := start(t, embedded.Config{
		DataDir: t.TempDir(), AppendFsync: "always", Socket: filepath.Join(sockets, "s"),
	})
	rdb := client(t, first)
	set(t, rdb, "kept")
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.Done()
	start(t, first.Config())
	wantKey(t, rdb, "kept") // the same client: its pool finds the new process
	if err := first.Close(); err != nil {
		t.Errorf("Close after Kill: %v", err)
	}
	wantKey(t, rdb, "kept") // and that Close did not touch the new one
}

// Redis takes connections while it loads, and answers LOADING to everything.
func TestStartWaitsForLoading(t *testing.T) {
	t.Parallel()
	needServer(t)
	const keys = 300_000 // some hundred milliseconds of loading
	cfg := embedded.Config{DataDir: t.TempDir(), AppendFsync: "no"}
	first := start(t, cfg)
	fill := "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'k' .. i, i) end return 1"
	if err := client(t, first).Eval(t.Context(), fill, nil, keys).Err(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := client(t, start(t, cfg)).DBSize(t.Context()).Result()
	if err != nil || got != keys {
		t.Errorf("DBSIZE = %d, %v; want %d", got, err, keys)
	}
}

func TestSecondStartOnTheSameDirectory(t *testing.T) {
	t.Parallel()
	needServer(t)
	cfg := embedded.Config{DataDir: t.TempDir()}
	rdb := client(t, start(t, cfg))
	_, err := embedded.Start(t.Context(), cfg)
	if !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("err = %v, want ErrInUse", err)
	}
	for _, want := range []string{cfg.DataDir, "process " + strconv.Itoa(os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	set(t, rdb, "the first one goes on")
}
