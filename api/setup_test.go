package api_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

const (
	v0     = "/api/v0/checkout"
	orders = v0 + "/orders/"
)

// Tokens, all but the admin's of the merchant acme.
const (
	adapterToken = "adapter-token"
	readerToken  = "reader-token" // of the role merchant
	adminToken   = "admin-token"  // of every merchant
	globexToken  = "globex-token" // an adapter of another merchant
)

// door is the whole API over a real store; nobody works on the queue.
type door struct {
	handler http.Handler
	url     string // of a server with it
	store   *store.Store
	rdb     *redis.Client
}

// each runs fn over every Redis that there is, in parallel.
func each(t *testing.T, fn func(t *testing.T, d door)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		fn(t, open(t, rdb))
	})
}

// open builds the API as in production, or with what change makes different.
func open(t testing.TB, rdb *redis.Client, change ...func(*api.Config)) door {
	t.Helper()
	sealer, err := store.NewSealer(store.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	d := door{rdb: rdb, store: store.New(store.Config{Redis: rdb, Sealer: sealer})}
	log := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	out := outbound.New(outbound.Config{}) // strict, as in production
	t.Cleanup(out.Close)
	token := func(secret string, role api.Role, merchant string) api.Token {
		return api.Token{Name: secret, Hash: sha256.Sum256([]byte(secret)), Role: role, Merchants: []string{merchant}}
	}
	cfg := api.Config{
		Store: d.store, Outbound: out, Health: api.NewHealth(d.store), Registry: registry, Log: log,
		Producer: queue.NewProducer(queue.ProducerConfig{
			Store: d.store, Redis: rdb, Bell: queue.NewBell(), Log: log, Metrics: queue.NewMetrics(registry),
		}),
		Tokens: []api.Token{
			token(adapterToken, api.RoleAdapter, "acme"), token(readerToken, api.RoleMerchant, "acme"),
			token(adminToken, api.RoleAdmin, "*"), token(globexToken, api.RoleAdapter, "globex"),
		},
		Monitoring: http.NotFoundHandler(), TestWait: 50 * time.Millisecond,
	}
	for _, with := range change {
		with(&cfg)
	}
	d.handler = api.New(cfg)
	server := httptest.NewServer(d.handler)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// reply is what came back, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request of acme's adapter; headers are "Name: value" and replace those that are sent by themselves, with an
// empty value take them away, and with a "+" before the name are added to them.
func (d door) call(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adapterToken)
	r.Header.Set("X-Merchant", "acme")
	for _, line := range headers {
		name, text, _ := strings.Cut(line, ":")
		if text = strings.TrimSpace(text); text == "" {
			r.Header.Del(name)
		} else if more, ok := strings.CutPrefix(name, "+"); ok {
			r.Header.Add(more, text)
		} else {
			r.Header.Set(name, text)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := reply{resp.StatusCode, resp.Header, string(text)}
	if a.status >= 400 {
		a.checkProblem(t)
	}
	return a
}

// must is call for what has to come out with that status.
func (d door) must(t testing.TB, status int, method, path, body string, headers ...string) reply {
	t.Helper()
	a := d.call(t, method, path, body, headers...)
	if a.status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// problem is an error's body.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Errors                    []scope.Fault
}

func (a reply) problem(t testing.TB) (p problem) {
	t.Helper()
	a.into(t, &p)
	return p
}

// checkProblem holds every error to RFC 9457 as design.md §3 has it.
func (a reply) checkProblem(t testing.TB) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%d with Content-Type %q: %s", a.status, got, a.body)
		return
	}
	if p := a.problem(t); p.Status != a.status || p.Type == "" || p.Title == "" || p.Detail == "" || p.Code == "" {
		t.Errorf("%d is told as %s", a.status, a.body)
	}
}

func (a reply) into(t testing.TB, dst any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), dst); err != nil {
		t.Fatalf("%d %.200s: %v", a.status, a.body, err)
	}
}

// pointers are those of a problem's errors, sorted.
func (a reply) pointers(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, f := range a.problem(t).Errors {
		all = append(all, f.Pointer)
		if f.Detail == "" {
			t.Errorf("the fault at %s says nothing", f.Pointer)
		}
	}
	slices.Sort(all)
	return all
}

// accepted is the reply to PUT and PATCH.
type accepted struct {
	OrderID    string
	Version    int64
	Changed    []string
	Deliveries []struct {
		ID, NotificationID string
		Scope              []string
	}
}

// put puts an order of the channel web.
func (d door) put(t testing.TB, status int, id, body string, headers ...string) (a accepted) {
	t.Helper()
	d.must(t, status, http.MethodPut, orders+id, body, append([]string{"X-Channel: web"}, headers...)...).into(t, &a)
	return a
}

// registered are the notifications of an order as read back, in the order of registration.
func (d door) registered(t testing.TB, id string) []map[string]any {
	t.Helper()
	var list struct{ Data []map[string]any }
	d.must(t, 200, http.MethodGet, orders+id+"/notifications", "").into(t, &list)
	return list.Data
}

// load is what the store holds.
func (d door) load(t testing.TB, id string) store.State {
	t.Helper()
	state, err := d.store.Load(t.Context(), dispatcher.OrderRef{Merchant: "acme", OrderID: id})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// forgetAnswers drops every answer that was kept for an Idempotency-Key, as if its process had died before it kept it.
func (d door) forgetAnswers(t testing.TB) {
	t.Helper()
	keys, err := d.rdb.Keys(t.Context(), "td{s*}:i:*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d answers are kept, %v", len(keys), err)
	}
	for _, key := range keys {
		if err := d.rdb.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
