package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

// forReal is a configuration for a Redis that somebody else runs.
func forReal(t *testing.T, server *embedded.Redis) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "tidings.yaml")
	text := fmt.Sprintf("redis-url: unix://%s\nsealing-key: %s\nallow-target: [127.0.0.0/8]\nlog-level: error\ntokens:\n  - {name: t, hash: %q, merchants: [acme], role: admin}\n",
		server.Options().Addrs[0], "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", hashToken("test-token"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// owed puts an order into a status and returns the ids of the deliveries that were answered; nil when it was not 2xx.
func (p *process) owed(order, status string) (ids []string, code int) {
	p.t.Helper()
	code, text := p.call("PUT", "/api/v0/checkout/orders/"+order, fmt.Sprintf(`{"state":{"currentStatus":%q}}`, status))
	var answer struct{ Deliveries []struct{ ID string } }
	if code/100 == 2 {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			p.t.Fatal(text)
		}
	}
	for _, d := range answer.Deliveries {
		ids = append(ids, d.ID)
	}
	return ids, code
}

func (p *process) register(order, url string) {
	p.t.Helper()
	code, text := p.call("POST", "/api/v0/checkout/orders/"+order+"/notifications", fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]}}`, url))
	if code != http.StatusCreated {
		p.t.Fatal(code, text)
	}
}

func again(t *testing.T, r *embedded.Redis) {
	t.Helper()
	restarted, err := embedded.Start(t.Context(), r.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = restarted.Close() })
}

// Redis killed with -9 and restarted: meanwhile the API says 503 and when to come again, nothing that was answered is
// lost, and the workers go on by themselves.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	p := start(t, "--config", forReal(t, server))
	r := newTarget(t, http.StatusOK)
	p.register("1", r.URL)
	before, _ := p.owed("1", "s1")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, p.base+"/api/v0/checkout/orders/1", strings.NewReader(`{"state":{"currentStatus":"s2"}}`))
	req.Header = http.Header{"Authorization": {"Bearer test-token"}, "X-Merchant": {"acme"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("with Redis away: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	if code, text := p.call("GET", "/health/ready", ""); code != http.StatusServiceUnavailable {
		t.Error("ready with Redis away:", code, text)
	}
	if code, text := p.call("GET", "/api/v0/checkout/orders/1", ""); code != http.StatusServiceUnavailable {
		t.Error("could not look is not nothing there:", code, text)
	}
	again(t, server)
	p.eventually(func() bool { code, _ := p.call("GET", "/health/ready", ""); return code == http.StatusOK })
	after, code := p.owed("1", "s3")
	if code != http.StatusOK {
		t.Fatal("after the restart:", code)
	}
	want := append(before, after...)
	p.eventually(func() bool { return contains(r.seen(), want) })
}

func contains(all, want []string) bool {
	have := map[string]bool{}
	for _, id := range all {
		have[id] = true
	}
	for _, id := range want {
		if !have[id] {
			return false
		}
	}
	return true
}

func TestStartsWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	config := forReal(t, server)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	p := startUnready(t, "--config", config)
	if code, text := p.call("GET", "/health/live", ""); code != http.StatusOK {
		t.Error("live:", code, text)
	}
	if code, text := p.call("GET", "/health/ready", ""); code != http.StatusServiceUnavailable {
		t.Error("ready without Redis:", code, text)
	}
	again(t, server)
	p.eventually(func() bool { code, _ := p.call("GET", "/health/ready", ""); return code == http.StatusOK })
	r := newTarget(t, http.StatusOK)
	p.register("1", r.URL)
	ids, _ := p.owed("1", "s1")
	p.eventually(func() bool { return contains(r.seen(), ids) })
}

// A rolling restart under load loses nothing and duplicates nothing.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	config := forReal(t, server)
	r := newTarget(t, http.StatusOK)
	first := start(t, "--config", config)
	const orders = 10
	for order := range orders {
		first.register(fmt.Sprint(order), r.URL)
	}
	var mu sync.Mutex
	var owed []string
	write := func(p *process, round int) (refused bool) {
		for order := range orders {
			ids, code := p.owed(fmt.Sprint(order), fmt.Sprintf("s%d", round))
			mu.Lock()
			owed = append(owed, ids...)
			mu.Unlock()
			refused = refused || code/100 != 2
		}
		return refused
	}
	for round := range 5 {
		write(first, round)
	}
	second := start(t, "--config", config) // the new one is up before the old one goes
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := 5; round < 15; round++ {
			write(second, round)
		}
	})
	if code := first.stop(); code != 0 {
		t.Errorf("the old one left with %d", code)
	}
	wg.Wait()
	second.eventually(func() bool { return contains(r.seen(), owed) })
	if seen := len(r.seen()); seen != len(owed) || len(owed) != orders*15 {
		t.Errorf("%d requests for %d deliveries, want %d of each", seen, len(owed), orders*15)
	}
	if code := second.stop(); code != 0 {
		t.Errorf("the new one left with %d", code)
	}
	_, out, errs := runFor(t, "check", "--redis-url", "unix://"+server.Options().Addrs[0])
	if !strings.Contains(out, fmt.Sprintf("accepted                 %d\n", orders*15)) || !strings.Contains(out, "open                     0\n") {
		t.Errorf("check says\n%s%s", out, errs)
	}
}

// check tells what is broken and ends with 1; requeue mends it.
func TestCheckAndRequeue(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	config := forReal(t, server)
	url := "unix://" + server.Options().Addrs[0]
	r := newTarget(t, http.StatusServiceUnavailable)
	p := start(t, "--config", config)
	p.register("1", r.URL)
	ids, _ := p.owed("1", "s1")
	p.events("outcome=failed", 1)
	if code := p.stop(); code != 0 {
		t.Fatal("exit", code)
	}
	if code, out, errs := runFor(t, "check", "--redis-url", url, "--json"); code != 0 || !strings.Contains(out, `"orphaned":0`) || !strings.Contains(out, `"retrying":1`) {
		t.Fatal(code, out, errs)
	}
	lose(t, server)
	code, out, errs := runFor(t, "check", "--redis-url", url)
	if code != 1 || !strings.Contains(out, ids[0]+" not_due") || !strings.Contains(errs, "requeue") {
		t.Fatalf("check with an orphan ended with %d:\n%s%s", code, out, errs)
	}
	if code, out, errs := runFor(t, "requeue", "--redis-url", url); code != 0 || !strings.Contains(out, "repaired 1") || !strings.Contains(out, "enqueued 1") {
		t.Fatal(code, out, errs)
	}
	if code, out, _ := runFor(t, "check", "--redis-url", url); code != 0 {
		t.Fatal("after requeue:", code, out)
	}
	r.answer(http.StatusOK)
	start(t, "--config", config)
	p.eventually(func() bool { return len(r.seen()) >= 2 })
}

// Without --redis-url check looks into the Redis that a running Tidings brought itself.
func TestCheckOfOwnRedis(t *testing.T) {
	t.Parallel()
	if _, found := embedded.Find(); !found {
		if os.Getenv("TIDINGS_REQUIRE_REDIS") != "" {
			t.Fatal("no redis-server on the PATH")
		}
		t.Skip("no redis-server on the PATH: there is nothing to look into from outside")
	}
	dir := t.TempDir()
	if code, _, errs := runFor(t, "check", "--data-dir", dir); code != 1 || !strings.Contains(errs, "no Tidings runs") {
		t.Errorf("nothing runs, and check ends with %d: %s", code, errs)
	}
	p := start(t, "--data-dir", dir, "--dev-token", "test-token", "--log-level", "error")
	r := newTarget(t, http.StatusOK)
	p.register("1", r.URL)
	p.owed("1", "s1")
	p.events("outcome=delivered", 1)
	if code, out, errs := runFor(t, "check", "--data-dir", dir, "--json"); code != 0 || !strings.Contains(out, `"delivered":1`) {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

// lose drops the due index and all that Asynq keeps.
func lose(t *testing.T, server *embedded.Redis) {
	t.Helper()
	rdb := dial(t, server)
	for _, pattern := range []string{"asynq:*", "td{s*}:due"} {
		keys, err := rdb.Keys(t.Context(), pattern).Result()
		if err != nil || len(keys) == 0 {
			t.Fatal(pattern, keys, err)
		}
		if err := rdb.Del(t.Context(), keys...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func dial(t *testing.T, server *embedded.Redis) redis.UniversalClient {
	t.Helper()
	rdb := redis.NewUniversalClient(server.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
