package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDemoGoesAsTold(t *testing.T) {
	t.Parallel()
	code, out, stderr := runFor(t, "demo")
	if code != 0 {
		t.Fatalf("exit status %d\n%s%s", code, out, stderr)
	}
	for _, part := range []string{
		"norce   v1  attempt 1 -> 503", "norce   v1  attempt 2 -> 200", "ORDER_CREATED; fetched BANNER-610 for Ada in Uppsala",
		"status shipment_created", "fatpay  v3  attempt 1 -> 200  the payment's 93.09000000 as written, seal good",
		"norce   v4  attempt 3 -> 200", "17 attempts, 17 Events", "manual     200 delivered", "All of it went as told",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("it does not tell %q:\n%s", part, out)
		}
	}
	if waits := strings.Index(out, "norce   v2"); waits < strings.Index(out, "norce   v1  attempt 2") {
		t.Error("version 2 is told before version 1 has arrived")
	}
}

// A demo that cannot fail would prove nothing.
func TestDemoNoticesWhatGoesDifferently(t *testing.T) {
	t.Parallel()
	for system, says := range map[string]string{
		"norce":  "norce, version 1, attempt 1: the receiver does not take it: no signature matches",
		"fbpi":   "fbpi, version 1, attempt 1: the receiver failed: fetching the order: answered 401",
		"probo":  "probo, version 1, attempt 1: answered 500, expected 200",
		"fatpay": "fatpay, version 3, attempt 1: the receiver does not take it: no signature matches",
	} {
		code, out, stderr := runFor(t, "demo", "--spoil", system)
		if code != 1 || !strings.Contains(out, "It went differently: "+says) || !strings.Contains(stderr, "did not go as told") || strings.Contains(out, "All of it") {
			t.Errorf("%s spoiled: exit status %d\n%s%s", system, code, out, stderr)
		}
	}
}

// Ctrl-C, while a retry is awaited.
func TestDemoIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, stderr := &lockedBuffer{}, &lockedBuffer{}
	exit := make(chan int, 1)
	go func() { exit <- run(ctx, []string{"demo"}, out, stderr) }()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), "2. Accepted"); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not begin:\n%s%s", out, stderr)
		}
	}
	cancel()
	if code := <-exit; code != 1 || !strings.Contains(stderr.String(), "interrupted") || strings.Contains(out.String(), "differently") {
		t.Errorf("exit status %d:\n%s%s", code, out, stderr)
	}
}

// The demo leaves nothing behind, touches nobody's Redis, and needs nothing but Go.
func TestDemoKeepsToItself(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TIDINGS_REDIS_URL", "redis://127.0.0.1:1")
	t.Setenv("TIDINGS_ROLE", "worker")
	if code, out, stderr := runFor(t, "demo"); code != 0 {
		t.Fatalf("exit status %d\n%s%s", code, out, stderr)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
}
