package api_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// contract is the API beside the document that it serves: whatever is called is held against the document.
type contract struct {
	t       *testing.T
	handler http.Handler
	doc     *openapi3.T
	rdb     *redis.Client
	seen    map[string]bool // "operationId status" of what was answered
}

// newContract builds the API over a miniredis of its own; with a worker deliveries are sent, to this machine only.
func newContract(t *testing.T, working bool, change ...func(*api.Config)) *contract {
	t.Helper()
	rdb := storetest.Mini(t)
	log := slog.New(slog.DiscardHandler)
	sealer, err := store.NewSealer(store.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(store.Config{Redis: rdb, Sealer: sealer})
	out := outbound.New(outbound.Config{AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(out.Close)
	registry, bell := prometheus.NewRegistry(), queue.NewBell()
	metrics := queue.NewMetrics(registry)
	producer := queue.NewProducer(queue.ProducerConfig{Store: st, Redis: rdb, Bell: bell, Log: log, Metrics: metrics})
	if working {
		options := rdb.Options()
		client := redis.NewClient(&redis.Options{
			Network: options.Network, Addr: options.Addr, DB: options.DB, ContextTimeoutEnabled: true,
		})
		client.AddHook(bell)
		worker := queue.NewWorker(queue.WorkerConfig{
			Store: st, Producer: producer, Redis: client, Bell: bell, Outbound: out, Log: log, Metrics: metrics,
			UserAgent: "Tidings/test", Concurrency: 4, Servers: 1,
		})
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { worker.Stop(); _ = client.Close() })
	}
	c := &contract{t: t, rdb: rdb, seen: map[string]bool{}}
	cfg := api.Config{
		Store: st, Producer: producer, Outbound: out, Health: api.NewHealth(st), Registry: registry, Log: log,
		TestWait: time.Second,
		Tokens: []api.Token{
			{Name: "adapter", Hash: sha256.Sum256([]byte("adapter")), Merchants: []string{"acme"}, Role: api.RoleAdapter},
			{Name: "merchant", Hash: sha256.Sum256([]byte("merchant")), Merchants: []string{"acme"}, Role: api.RoleMerchant},
			{Name: "admin", Hash: sha256.Sum256([]byte("admin")), Merchants: []string{"*"}, Role: api.RoleAdmin},
		},
	}
	for _, with := range change {
		with(&cfg)
	}
	c.handler = api.New(cfg)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil))
	if c.doc, err = openapi3.NewLoader().LoadFromData(w.Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange is one call, in the document's words, and the status that it must get.
type exchange struct {
	id      string            // operationId
	in      map[string]string // path parameters
	query   url.Values
	header  map[string]string // over the usual ones; "" takes one away
	body    string
	want    int
	lawless bool // the request breaks the document on purpose
}

type answer struct {
	header http.Header
	body   []byte
}

var validation = &openapi3filter.Options{
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
	MultiError: true,
}

// do calls, and holds request and answer against the document.
func (c *contract) do(x exchange) answer {
	c.t.Helper()
	op := c.operation(x.id)
	path := op.path
	for name, value := range x.in {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if x.query != nil {
		path += "?" + x.query.Encode()
	}
	request := func() *http.Request {
		r := httptest.NewRequest(op.Method, path, strings.NewReader(x.body))
		header := map[string]string{"Authorization": "Bearer adapter", "X-Merchant": "acme", "X-Channel": "web"}
		if x.body != "" {
			header["Content-Type"] = "application/json"
		}
		maps.Copy(header, x.header)
		for name, value := range header {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		return r
	}
	in := &openapi3filter.RequestValidationInput{Request: request(), PathParams: x.in, Route: op.Route, Options: validation}
	if x.query != nil {
		in.QueryParams = x.query
	}
	if err := openapi3filter.ValidateRequest(c.t.Context(), in); (err != nil) != x.lawless {
		c.t.Errorf("%s %s %s: the document's word on the request is %v, want a refusal: %t", op.Method, path, x.body, err, x.lawless)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, request())
	name := fmt.Sprintf("%s %s %s = %d %s", op.Method, path, x.body, w.Code, w.Body)
	if w.Code != x.want {
		c.t.Fatalf("%s, want %d", name, x.want)
	}
	c.seen[x.id+" "+strconv.Itoa(w.Code)] = true
	documented := op.Operation.Responses.Status(w.Code)
	if documented == nil {
		c.t.Fatalf("%s: the document does not know this status", name)
	}
	if len(documented.Value.Content) == 0 && w.Body.Len() > 0 {
		c.t.Errorf("%s: the document knows no body", name)
	}
	err := openapi3filter.ValidateResponse(c.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: validation,
	})
	if err != nil {
		c.t.Errorf("%s: %v", name, err)
	}
	return answer{w.Header(), w.Body.Bytes()}
}
