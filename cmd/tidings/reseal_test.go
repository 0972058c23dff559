package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

func spelledKey() string { return base64.StdEncoding.EncodeToString(store.NewSealingKey()) }

// sealedWith is a configuration with these keys; level error keeps the log short.
func sealedConfig(t *testing.T, server *embedded.Redis, keys string) string {
	return write(t, fmt.Sprintf("redis-url: unix://%s\nsealing-key: %s\nallow-target: [127.0.0.0/8]\nlog-level: error\ntokens:\n  - {name: t, hash: %q, merchants: [acme], role: admin}\n",
		server.Options().Addrs[0], keys, hashToken("test-token")))
}

// The README's rotation, step by step.
func TestRotation(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	first, second := spelledKey(), spelledKey()
	old := sealedConfig(t, server, first)
	p := start(t, "--config", old)
	r := newTarget(t, http.StatusOK)
	p.register("1", r.URL)
	p.stop()

	reads := sealedConfig(t, server, "["+first+", "+second+"]")
	start(t, "--config", reads).stop()
	both := sealedConfig(t, server, second+","+first)
	if code, out, stderr := runFor(t, "reseal", "--config", both); code != 1 || !strings.Contains(stderr, "no Tidings has been started with this key") {
		t.Errorf("resealed before anybody writes with the new key: %d %s%s", code, out, stderr)
	}
	p = start(t, "--config", both)
	p.register("2", r.URL)
	code, out, stderr := runFor(t, "reseal", "--config", both, "--dry-run")
	if code != 1 || strings.Count(out, "  key ") != 2 || !strings.Contains(stderr, "keep the other keys") {
		t.Errorf("counted before: %d %s%s", code, out, stderr)
	}
	refused(t, sealedConfig(t, server, second), "without the old key")
	if code, out, stderr = runFor(t, "reseal", "--config", both); code != 0 || strings.Count(out, "  key ") != 1 || !strings.Contains(out, "resealed                 1\n") {
		t.Errorf("resealed: %d %s%s", code, out, stderr)
	}
	for _, key := range []string{first, second} {
		if strings.Contains(out+stderr, key) {
			t.Error("reseal prints a key")
		}
	}
	if code, out, stderr = runFor(t, "reseal", "--config", both, "--dry-run"); code != 0 {
		t.Errorf("counted after: %d %s%s", code, out, stderr)
	}
	p.stop()

	p = start(t, "--config", sealedConfig(t, server, second))
	for _, order := range []string{"1", "2"} {
		ids, _ := p.owed(order, "s1")
		p.eventually(func() bool { return len(ids) == 1 && contains(r.seen(), ids) })
	}
	refused(t, old, "with the old key alone")
}

// refused holds serve to end at once with a text that names keys by their ids.
func refused(t *testing.T, config, how string) {
	t.Helper()
	code, out, stderr := runFor(t, "serve", "--config", config, "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "the store holds secrets sealed with key ") || out != "" {
		t.Errorf("%s: %d %s%s", how, code, out, stderr)
	}
}

// Our own Redis: the keys are the lines of a file beside the data.
func TestRotationBesideOurOwnRedis(t *testing.T) {
	t.Parallel()
	storetest.Private(t) // skips where there is no redis-server
	dir := t.TempDir()
	file := filepath.Join(dir, "sealing.key")
	p := start(t, "--data-dir", dir, "--dev-token", "test-token")
	r := newTarget(t, http.StatusOK)
	p.register("1", r.URL)
	p.stop()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(lines ...string) {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh := spelledKey()
	for how, lines := range map[string][]string{"another key": {fresh}, "no key": {""}, "half a key": {string(old[:20])}, "twice": {string(old), string(old)}} {
		keep(lines...)
		code, out, stderr := runFor(t, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0")
		if code != 1 || !strings.Contains(stderr, file) || out != "" || strings.Contains(stderr, string(old[:20])) {
			t.Errorf("%s: %d %s%s", how, code, out, stderr)
		}
	}
	if err := os.Remove(file); err != nil { // a fresh one is made, and does not fit
		t.Fatal(err)
	}
	if code, _, stderr := runFor(t, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0"); code != 1 || !strings.Contains(stderr, "sealed with key") {
		t.Errorf("the file lost: %d %s", code, stderr)
	}
	keep(fresh, strings.TrimSpace(string(old)), "")
	p = start(t, "--data-dir", dir, "--dev-token", "test-token")
	if code, out, stderr := runFor(t, "reseal", "--data-dir", dir); code != 0 || !strings.Contains(out, "resealed                 1\n") {
		t.Errorf("%d %s%s", code, out, stderr)
	}
	p.stop()
	keep(fresh)
	p = start(t, "--data-dir", dir, "--dev-token", "test-token")
	ids, _ := p.owed("1", "s1")
	p.eventually(func() bool { return len(ids) == 1 && contains(r.seen(), ids) })
}

// Started while Redis is away, with a key that does not fit: told and left as soon as Redis is back.
func TestWrongKeyFoundWhenRedisComesBack(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	p := start(t, "--config", sealedConfig(t, server, spelledKey()))
	p.stop()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	p = startUnready(t, "--config", sealedConfig(t, server, spelledKey()))
	again(t, server)
	p.eventually(func() bool { return strings.Contains(p.stderr.String(), "the store holds secrets sealed with key ") })
	if code := p.stop(); code != 1 {
		t.Error("exit status", code)
	}
}

func TestFaultsOfSealingKeysTellNoKey(t *testing.T) {
	t.Parallel()
	good, short := spelledKey(), spelledKey()[:20]
	for how, c := range map[string]struct {
		file string
		args []string
		told []string
	}{
		"flag":          {"", []string{"--sealing-key", good + "," + short + ", " + good}, []string{"key 2: expected base64", "key 3: the same as key 1"}},
		"flags":         {"", []string{"--sealing-key", short, "--sealing-key", good, "--sealing-key", good}, []string{"key 1: expected", "key 3: the same as key 2"}},
		"list":          {"sealing-key: [" + good + ", " + short + "]", nil, []string{"key 2: expected"}},
		"text":          {"sealing-key: " + good + "," + good, nil, []string{"key 2: the same as key 1"}},
		"a map":         {"sealing-key: {" + short + ": 1}", nil, []string{"line 1: expected a sealing key"}},
		"a list in one": {"sealing-key: [[" + short + "]]", nil, []string{"line 1: expected a sealing key"}},
	} {
		args := append([]string{"serve", "--config", write(t, c.file+"\n"), "--redis-url", "redis://127.0.0.1:1/0"}, c.args...)
		code, out, stderr := runFor(t, args...)
		for _, part := range c.told {
			if !strings.Contains(stderr, part) {
				t.Errorf("%s: %q is not told in %s", how, part, stderr)
			}
		}
		if code != 2 || strings.Contains(out+stderr, good) || strings.Contains(out+stderr, short) {
			t.Errorf("%s: %d, or a key is told: %s%s", how, code, out, stderr)
		}
	}
}
