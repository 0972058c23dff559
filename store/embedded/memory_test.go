package embedded_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/store/embedded"
)

func TestMemoryExpiresByItself(t *testing.T) {
	t.Parallel()
	r := start(t, embedded.Config{InMemory: true})
	rdb := client(t, r)
	set(t, rdb, "stays")
	if err := rdb.Set(t.Context(), "goes", "x", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(10 * time.Second)
	for {
		n, err := rdb.Exists(t.Context(), "goes").Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		select {
		case <-limit:
			t.Fatal("the key is still there after 10 s")
		case <-poll.C:
		}
	}
	wantKey(t, rdb, "stays")
}

func TestMemorySaysWhatItIs(t *testing.T) {
	t.Parallel()
	r := start(t, embedded.Config{InMemory: true})
	if r.Durable() || r.Pid() != 0 {
		t.Errorf("Durable = %v, Pid = %d", r.Durable(), r.Pid())
	}
	if got := r.Describe(); !strings.Contains(got, "nothing survives a restart") {
		t.Errorf("Describe = %q", got)
	}
	if err := r.Kill(); err == nil {
		t.Error("Kill of memory is no error")
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
