package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

// process is the binary's run in this process.
type process struct {
	t      testing.TB
	base   string
	token  string
	stop   func() int
	stdout *lockedBuffer
	stderr *lockedBuffer
}

// lockedBuffer is written by the process and read by the test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var bannerURL = regexp.MustCompile(`on (http://127\.0\.0\.1:\d+)`)

// start runs the binary with args until the test ends, and waits until it is ready.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	p := startUnready(t, args...)
	p.eventually(func() bool { code, _ := p.call("GET", "/health/ready", ""); return code == http.StatusOK })
	return p
}

// startUnready runs the binary and waits until it listens.
func startUnready(t testing.TB, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, logs := &lockedBuffer{}, &lockedBuffer{}
	exit := make(chan int, 1)
	go func() { exit <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), out, logs) }()
	p := &process{t: t, stdout: out, stderr: logs, token: "test-token"}
	p.stop = sync.OnceValue(func() int { cancel(); return <-exit })
	t.Cleanup(func() { p.stop() })
	deadline := time.Now().Add(20 * time.Second)
	for p.base == "" {
		select {
		case code := <-exit:
			exit <- code
			t.Fatalf("ended with %d: %s", code, logs)
		case <-time.After(5 * time.Millisecond):
		}
		if found := bannerURL.FindStringSubmatch(out.String()); found != nil {
			p.base = found[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("did not start: %s %s", out, logs)
		}
	}
	return p
}

// call sends a request as merchant acme and returns status and body.
func (p *process) call(method, path, body string, headers ...string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("X-Merchant", "acme")
	req.Header.Set("X-Channel", "web")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (p *process) eventually(ok func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain; log:\n%s", p.stderr)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// events returns the Events of the query, newest first, once there are at least n.
func (p *process) events(query string, n int) (events []dispatcher.Event) {
	p.t.Helper()
	p.eventually(func() bool {
		code, text := p.call("GET", "/api/v0/checkout/notifications/events?"+query, "")
		var page struct{ Data []dispatcher.Event }
		if err := json.Unmarshal([]byte(text), &page); err != nil || code != http.StatusOK {
			p.t.Fatalf("%d %s", code, text)
		}
		events = page.Data
		return len(events) >= n
	})
	return events
}

// target is a receiver that answers the given status until it is mended.
type target struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	ids    []string
}

func newTarget(t *testing.T, status int) *target {
	t.Helper()
	r := &target{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids = append(r.ids, req.Header.Get("Webhook-Id"))
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *target) answer(status int) { r.mu.Lock(); r.status = status; r.mu.Unlock() }
func (r *target) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.ids...)
}

// The whole way in one process: registered, changed, matched, worked, failed, recorded, found, retried, delivered.
func wholeWay(t *testing.T, p *process) {
	t.Helper()
	r := newTarget(t, http.StatusServiceUnavailable)
	code, text := p.call("POST", "/api/v0/checkout/orders/1001/notifications",
		fmt.Sprintf(`{"url":%q,"scope":{"state":["completed"]},"adapterId":"erp","reference":"export","headers":{"X-Key":"s3cret-key"}}`, r.URL+"/in?key=q-secret"))
	if code != http.StatusCreated || strings.Contains(text, "s3cret-key") {
		t.Fatal(code, text)
	}
	if code, text = p.call("PUT", "/api/v0/checkout/orders/1001", `{"state":{"currentStatus":"accepted"}}`); code != http.StatusCreated || !strings.Contains(text, `"deliveries":[]`) {
		t.Fatal(code, text)
	}
	if code, text = p.call("PATCH", "/api/v0/checkout/orders/1001", `{"state":{"currentStatus":"completed"}}`); code != http.StatusOK {
		t.Fatal(code, text)
	}
	var answer struct{ Deliveries []struct{ ID string } }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Deliveries) != 1 {
		t.Fatal(text, err)
	}
	failed := p.events("orderId=1001&outcome=failed", 1)[0]
	if failed.StatusCode != 503 || !failed.WillRetry || failed.DeliveryID != answer.Deliveries[0].ID || failed.Reason != dispatcher.ReasonStatus5xx {
		t.Fatalf("event %+v", failed)
	}
	r.answer(http.StatusOK)
	if code, text = p.call("POST", "/api/v0/checkout/notifications/events/"+failed.ID+"/retry", ""); code != http.StatusAccepted {
		t.Fatal(code, text)
	}
	done := p.events("reference=export&adapterId=erp&scope=state.completed&outcome=delivered", 1)[0]
	if done.Trigger != dispatcher.TriggerManual || done.Attempt < 2 || done.DeliveryID != failed.DeliveryID {
		t.Fatalf("event %+v", done)
	}
	for _, id := range r.seen() {
		if id != failed.DeliveryID {
			t.Errorf("webhook-id %s, want %s", id, failed.DeliveryID)
		}
	}
	if code, text = p.call("GET", "/api/v1/events?order_id=1001&limit=1", ""); code != http.StatusOK || !strings.Contains(text, `"totalSize":2`) || !strings.Contains(text, `"createdAt"`) {
		t.Error("norce's spelling:", code, text)
	}
	if code, text = p.call("GET", "/api/v0/checkout/notifications/deliveries/"+failed.DeliveryID, ""); code != http.StatusOK || !strings.Contains(text, `"status":"delivered"`) || !strings.Contains(text, `"before":"accepted"`) {
		t.Error("delivery:", code, text)
	}
	if log := p.stderr.String(); strings.Contains(log, "s3cret-key") || strings.Contains(log, "q-secret") || strings.Contains(log, p.token) {
		t.Error("the log holds a secret")
	}
}

func TestWholeWayInOneProcess(t *testing.T) {
	t.Parallel()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "test-token")
	wholeWay(t, p)
	pages(t, p)
	if code := p.stop(); code != 0 {
		t.Errorf("exit status %d; log:\n%s", code, p.stderr)
	}
}

func TestWholeWayInMemory(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no redis-server: a machine with nothing but Go
	p := start(t, "--dev-token", "test-token", "--data-dir", filepath.Join(t.TempDir(), "unused"))
	wholeWay(t, p)
	if code, text := p.call("GET", "/health/ready", ""); code != http.StatusOK || !strings.Contains(text, "nothing survives") {
		t.Errorf("ready does not warn that nothing survives: %d %s", code, text)
	}
}

func pages(t *testing.T, p *process) {
	t.Helper()
	get := func(path, password string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+path, http.NoBody)
		if password != "" {
			req.SetBasicAuth("anyone", password)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	if code, _ := get("/monitoring/", ""); code != http.StatusUnauthorized {
		t.Error("Asynqmon without a token:", code)
	}
	if code, text := get("/monitoring/api/queues", p.token); code != http.StatusOK || !strings.Contains(text, `"`+queue.Name+`"`) {
		t.Error("Asynqmon's queues:", code, text)
	}
	if code, text := get("/metrics", p.token); code != http.StatusOK || !strings.Contains(text, `tidings_attempts_total{outcome="delivered",reason=""} 1`) || !strings.Contains(text, "tidings_deliveries_open 0") {
		t.Error("metrics:", code, text)
	}
	if code, text := get("/", ""); code != http.StatusOK || !strings.Contains(text, `"/monitoring/"`) || !strings.Contains(text, `"/openapi.yaml"`) {
		t.Error("entrance:", code, text)
	}
	if code, text := get("/openapi.yaml", ""); code != http.StatusOK || !strings.Contains(text, "/notifications/events") {
		t.Error("openapi:", code, len(text))
	}
}

func TestDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	if _, found := embedded.Find(); !found {
		if os.Getenv("TIDINGS_REQUIRE_REDIS") != "" {
			t.Fatal("no redis-server on the PATH")
		}
		t.Skip("no redis-server on the PATH: Tidings keeps nothing")
	}
	dir := t.TempDir()
	p := start(t, "--data-dir", dir, "--dev-token", "test-token")
	wholeWay(t, p)
	p.stop()
	p = start(t, "--data-dir", dir, "--dev-token", "test-token")
	if got := p.events("orderId=1001", 2); len(got) != 2 {
		t.Errorf("%d events after the restart", len(got))
	}
	if code, text := p.call("GET", "/api/v0/checkout/orders/1001/notifications", ""); code != http.StatusOK || !strings.Contains(text, "X-Key") {
		t.Error("a notification sealed before the restart cannot be read:", code, text)
	}
}

func TestRolesShareOneRedis(t *testing.T) {
	t.Parallel()
	server := storetest.Private(t)
	config := filepath.Join(t.TempDir(), "tidings.yaml")
	text := fmt.Sprintf("redis-url: unix://%s\nsealing-key: %s\nallow-target: [127.0.0.0/8]\ntokens:\n  - {name: t, hash: %q, merchants: [acme], role: adapter}\n",
		server.Options().Addrs[0], "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", hashToken("test-token"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	worker := start(t, "--config", config, "--role", "worker")
	api := start(t, "--config", config, "--role", "api")
	wholeWay(t, api)
	if code, _ := worker.call("GET", "/api/v0/checkout/notifications/events", ""); code != http.StatusNotFound {
		t.Error("a worker answers the API:", code)
	}
}

// Registered with a seal and a handshake, tested, rotated, delivered: over the whole way in one process.
func TestSealedHandshakenAndTested(t *testing.T) {
	t.Parallel()
	type request struct {
		header http.Header
		body   []byte
	}
	posts := make(chan request, 10)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodOptions {
			w.Header().Set("WebHook-Allowed-Origin", req.Header.Get("WebHook-Request-Origin"))
			return
		}
		body, _ := io.ReadAll(req.Body)
		posts <- request{req.Header.Clone(), body}
	}))
	t.Cleanup(r.Close)
	p := start(t, "--dev-token", "test-token", "--data-dir", t.TempDir(), "--webhook-origin", "hooks.example.com")
	const list = "/api/v0/checkout/orders/1001/notifications"
	secretOf := func(text string) (id, secret string) {
		var answer struct {
			ID      string
			Signing struct{ Secret string }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Signing.Secret == "" {
			t.Fatal(text, err)
		}
		return answer.ID, answer.Signing.Secret
	}
	code, text := p.call("POST", list, fmt.Sprintf(`{"url":%q,"scope":{"state":["completed"]},"handshake":true,"signing":{"scheme":"standard-webhooks"}}`, r.URL))
	if code != http.StatusCreated {
		t.Fatal(code, text)
	}
	id, first := secretOf(text)
	sealed := func(got request, secrets ...string) {
		t.Helper()
		for _, secret := range secrets {
			if err := sign.VerifyStandardWebhooks(got.header, got.body, time.Now(), time.Minute, secret); err != nil {
				t.Error(err)
			}
		}
	}
	var event dispatcher.Event
	code, text = p.call("POST", list+"/"+id+"/test", "")
	if err := json.Unmarshal([]byte(text), &event); err != nil || code != http.StatusOK || event.Outcome != dispatcher.Delivered || event.Trigger != dispatcher.TriggerTest {
		t.Fatal(code, text, err)
	}
	sealed(<-posts, first)
	if code, text = p.call("POST", list+"/"+id+"/rotate-secret", ""); code != http.StatusOK {
		t.Fatal(code, text)
	}
	_, second := secretOf(text)
	if code, text = p.call("PUT", "/api/v0/checkout/orders/1001", `{"state":{"currentStatus":"completed"}}`); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	p.events("orderId=1001&outcome=delivered", 2)
	got := <-posts
	sealed(got, first, second)
	if got.header.Get("X-Tidings-Test") != "" {
		t.Error("a delivery is marked as a test")
	}
	for _, secret := range []string{first, second} {
		if strings.Contains(p.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}
