package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/wire"
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
func newContract(t *testing.T, working bool) *contract {
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
	c.handler = api.New(api.Config{
		Store: st, Producer: producer, Outbound: out, Health: api.NewHealth(st), Registry: registry, Log: log,
		Tokens: []api.Token{
			{Name: "adapter", Hash: sha256.Sum256([]byte("adapter")), Merchants: []string{"acme"}, Role: api.RoleAdapter},
			{Name: "merchant", Hash: sha256.Sum256([]byte("merchant")), Merchants: []string{"acme"}, Role: api.RoleMerchant},
			{Name: "admin", Hash: sha256.Sum256([]byte("admin")), Merchants: []string{"*"}, Role: api.RoleAdmin},
		},
	})
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

type operation struct {
	*routers.Route
	path string
}

// operations of the document, by operationId.
func (c *contract) operations() map[string]operation {
	all := map[string]operation{}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			route := &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: method, Operation: op}
			all[op.OperationID] = operation{route, path}
		}
	}
	return all
}

func (c *contract) operation(id string) operation {
	c.t.Helper()
	op, ok := c.operations()[id]
	if !ok {
		c.t.Fatalf("no operation %s in the document", id)
	}
	return op
}

// examples of an operation's request body, by name.
func (op operation) examples(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	if op.Operation.RequestBody == nil {
		return all
	}
	for _, media := range op.Operation.RequestBody.Value.Content {
		for name, example := range media.Examples {
			text, err := json.Marshal(example.Value.Value)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(text)
		}
	}
	return all
}

// anyExample of an operation's request body, the same every time; "" when it takes none.
func (op operation) anyExample(t *testing.T) string {
	t.Helper()
	all := op.examples(t)
	if len(all) == 0 {
		return ""
	}
	return all[slices.Min(slices.Collect(maps.Keys(all)))]
}

// at is the value at a path of member names and indexes, as text.
func (a answer) at(t *testing.T, path ...any) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				t.Fatalf("%s has no %v", a.body, path)
			}
			v = list[step]
		case string:
			v = v.(map[string]any)[step]
		}
	}
	return fmt.Sprint(v)
}

// fails calls and wants a problem of this code.
func (c *contract) fails(code string, x exchange) {
	c.t.Helper()
	c.wantCode(c.do(x), code)
}

func (c *contract) wantCode(a answer, code string) {
	c.t.Helper()
	if got := a.at(c.t, "code"); got != code {
		c.t.Errorf("code = %s, want %s", got, code)
	}
}

func TestDocumentIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	if !c.doc.IsOpenAPI31OrLater() || c.doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi: %s", c.doc.OpenAPI)
	}
	if err := c.doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if before, twice := ids[op.OperationID]; twice || op.OperationID == "" {
				t.Errorf("operationId %q of %s %s is that of %s, too", op.OperationID, method, path, before)
			}
			ids[op.OperationID] = method + " " + path
		}
	}
	// The validator must see a fault, or the call above says nothing.
	c.operation("putNotification").Operation.RequestBody.Value.Content["application/json"].Examples["latest"].Value.Value =
		map[string]any{"url": "https://wms.example.com/", "scope": map[string]any{"shippings": true}}
	if err := c.doc.Validate(t.Context()); err == nil {
		t.Error("an example that breaks its schema goes unnoticed")
	}
}

var ginParameter = regexp.MustCompile(`[:*]([A-Za-z]+)`)

func TestEveryRouteIsDocumentedAndEveryOperationIsARoute(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	engine, ok := c.handler.(*gin.Engine)
	if !ok {
		t.Fatalf("the handler is a %T", c.handler)
	}
	var routes, documented []string
	for _, route := range engine.Routes() {
		routes = append(routes, route.Method+" "+ginParameter.ReplaceAllString(route.Path, "{$1}"))
	}
	for _, op := range c.operations() {
		documented = append(documented, op.Method+" "+op.path)
	}
	slices.Sort(routes)
	slices.Sort(documented)
	for _, route := range routes {
		if !slices.Contains(documented, route) {
			t.Errorf("%s is a route, and not in the document", route)
		}
	}
	for _, op := range documented {
		if !slices.Contains(routes, op) {
			t.Errorf("%s is in the document, and no route", op)
		}
	}
}

// Whoever copies an example from the document gets what it promises.
func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	plain := `{"state":{"currentStatus":"accepted"},"total":93.09}`
	tests := map[string]struct {
		want int
		in   func(order string) map[string]string // prepares, and gives the path parameters
	}{
		"putOrder": {201, func(order string) map[string]string { return map[string]string{"orderId": order} }},
		"patchOrder": {200, func(order string) map[string]string {
			c.do(exchange{id: "putOrder", in: map[string]string{"orderId": order}, body: plain, want: 201})
			return map[string]string{"orderId": order}
		}},
		"postNotification": {201, func(order string) map[string]string { return map[string]string{"orderId": order} }},
		"putNotification": {200, func(order string) map[string]string {
			c.do(exchange{id: "postNotification", in: map[string]string{"orderId": order}, want: 201,
				body: `{"id":"n1","url":"https://wms.example.com/hook","scope":"/cart"}`})
			return map[string]string{"orderId": order, "id": "n1"}
		}},
		"putConfiguration": {201, func(string) map[string]string { return map[string]string{"adapterId": "erp"} }},
		"norcePutConfiguration": {201, func(string) map[string]string {
			return map[string]string{"merchant": "acme", "channel": "pos", "adapterId": "erp"}
		}},
	}
	number := 0
	for id, op := range c.operations() {
		for name, body := range op.examples(t) {
			if id == "retryEvent" || id == "norceRetryEvent" {
				continue // they need an Event: see TestAnswersAreAsDocumented
			}
			test, ok := tests[id]
			if !ok {
				t.Errorf("%s has examples, and nobody tries them", id)
				continue
			}
			number++
			t.Logf("%s %s", id, name)
			c.do(exchange{id: id, in: test.in("example-" + strconv.Itoa(number)), body: body, want: test.want})
		}
	}
}

// Document and server draw the same line: what one refuses, the other does.
func TestNotificationsAreRefusedAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	long := func(n int) string { return strings.Repeat("x", n) }
	const ok = `"url":"https://erp.example.com/","scope":{"cart":true}`
	refused := []string{
		`{}`, `[]`, `"x"`,
		`{"url":"https://erp.example.com/"}`,
		`{"scope":{"cart":true}}`,
		`{"url":"https://erp.example.com/","invoke":"https://erp.example.com/","scope":{"cart":true}}`,
		`{` + ok + `,"unknown":1}`,
		`{` + ok + `,"id":"a b"}`, `{` + ok + `,"id":"` + long(129) + `"}`,
		`{` + ok + `,"method":"GET"}`,
		`{` + ok + `,"headers":{"a b":"1"}}`, `{` + ok + `,"headers":{"X-A":1}}`, `{` + ok + `,"headers":{"X-A":"` + long(4097) + `"}}`,
		`{` + ok + `,"schema":true}`, // only beside a pointer
		`{` + ok + `,"adapterId":"ä"}`,
		`{` + ok + `,"reference":"` + long(257) + `"}`, `{` + ok + `,"reference":"a\nb"}`,
		`{` + ok + `,"description":"` + long(1025) + `"}`,
		`{` + ok + `,"excludeActors":["a","a"]}`, `{` + ok + `,"excludeActors":"a"}`,
		`{` + ok + `,"format":"xml"}`, `{` + ok + `,"options":[]}`,
		`{` + ok + `,"signing":{"scheme":"standard-webhooks"}}`, `{` + ok + `,"signing":{}}`,
		`{` + ok + `,"signing":{"scheme":"none","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}`,
		`{` + ok + `,"signing":{"scheme":"standard-webhooks","secret":"whsec_short"}}`,
		`{` + ok + `,"signing":{"scheme":"none","key":"x"}}`,
		`{` + ok + `,"signing":{"scheme":"http-message-signatures","secret":"whpk_x"}}`,
		`{` + ok + `,"ordering":"fifo"}`, `{` + ok + `,"version":"v2"}`,
		`{` + ok + `,"retry":{"maxAttempts":51}}`, `{` + ok + `,"retry":{"maxAttempts":1.5}}`, `{` + ok + `,"retry":{"schedule":[5]}}`,
		`{` + ok + `,"retry":{"delays":["5s"]}}`,
		`{` + ok + `,"timeout":"soon"}`, `{` + ok + `,"timeout":10}`, `{` + ok + `,"timeout":"-5s"}`,
		`{"url":"https://erp.example.com/` + long(2048) + `","scope":"/cart"}`,
		`{"url":"https://erp.example.com/","scope":{}}`, `{"url":"https://erp.example.com/","scope":7}`,
		`{"url":"https://erp.example.com/","scope":{"payments":true}}`, `{"url":"https://erp.example.com/","scope":{"payment":false}}`,
		`{"url":"https://erp.example.com/","scope":{"state":[]}}`, `{"url":"https://erp.example.com/","scope":{"state":["a","a"]}}`,
		`{"url":"https://erp.example.com/","scope":{"state":["*","a"]}}`, `{"url":"https://erp.example.com/","scope":{"state":[""]}}`,
		`{"url":"https://erp.example.com/","scope":"cart"}`, `{"url":"https://erp.example.com/","scope":"/a~2"}`,
		`{"url":"https://erp.example.com/","scope":"/cart","schema":"completed"}`,
	}
	for i, body := range refused {
		in := map[string]string{"orderId": "refused-" + strconv.Itoa(i)}
		c.fails("invalid_input", exchange{id: "postNotification", in: in, body: body, want: 422, lawless: true})
	}
	accepted := []string{
		`{` + ok + `,"id":"a.b_c:d-1","created":"2026-01-01T00:00:00Z","stopped":1}`,
		`{` + ok + `,"signing":{"scheme":"none"}}`, `{` + ok + `,"timeout":"1.5s","expiresAfter":"720h"}`,
		`{` + ok + `,"signing":{"scheme":"http-message-signatures","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}`,
		`{` + ok + `,"retry":{"schedule":["1s","1h30m","72h"]}}`,
		`{"url":"https://erp.example.com/","scope":"","schema":true}`, `{"url":"https://erp.example.com/","scope":"/a~1b/~0"}`,
		`{"url":"https://erp.example.com/","scope":{"state":["*"],"cart":true,"customer":true}}`,
	}
	for i, body := range accepted {
		in := map[string]string{"orderId": "accepted-" + strconv.Itoa(i)}
		c.do(exchange{id: "postNotification", in: in, body: body, want: 201})
	}
}

// anything fills the path parameters with what has the right shape and does not exist.
var anything = map[string]string{
	"orderId": "nowhere", "id": "nothing", "eventId": dispatcher.NewEventID(time.Now(), 3).String(), "adapterId": "nobody",
	"deliveryId": "2af03c5b9d8e4f60718293a4b5c6d7e8", "merchant": "acme", "channel": "web",
}

func (op operation) fill() map[string]string {
	in := map[string]string{}
	for name, value := range anything {
		if strings.Contains(op.path, "{"+name+"}") {
			in[name] = value
		}
	}
	return in
}

func (op operation) open() bool {
	return op.Operation.Security != nil && len(*op.Operation.Security) == 0
}

func TestEveryOperationIsGuardedAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	for id, op := range c.operations() {
		if op.open() {
			continue
		}
		body := op.anyExample(t)
		call := func(want int, header map[string]string, lawless bool) answer {
			return c.do(exchange{id: id, in: op.fill(), body: body, header: header, want: want, lawless: lawless})
		}
		c.wantCode(call(401, map[string]string{"Authorization": ""}, false), "unauthorized")
		c.wantCode(call(401, map[string]string{"Authorization": "Bearer unknown"}, false), "unauthorized")
		if id == "metrics" {
			c.wantCode(call(403, nil, false), "role_forbidden")
			continue
		}
		if slices.Contains([]string{"PUT", "PATCH", "DELETE"}, op.Method) || id == "postNotification" {
			c.wantCode(call(403, map[string]string{"Authorization": "Bearer merchant"}, false), "role_forbidden")
		}
		if op.fill()["merchant"] != "" || strings.HasPrefix(id, "getFBPI") { // the token of a single merchant names it
			continue // the path names it
		}
		c.wantCode(call(403, map[string]string{"X-Merchant": "other"}, false), "merchant_forbidden")
		c.wantCode(call(400, map[string]string{"X-Merchant": ""}, true), "merchant_missing")
		c.wantCode(call(400, map[string]string{"X-Merchant": "a b"}, true), "merchant_invalid")
	}
}

func TestEveryOperationSaysSoWithoutItsStore(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	if err := c.rdb.Close(); err != nil {
		t.Fatal(err)
	}
	for id, op := range c.operations() {
		if op.open() || id == "metrics" {
			continue
		}
		body := op.anyExample(t)
		c.fails("store_unavailable", exchange{id: id, in: op.fill(), body: body, want: 503})
	}
	c.do(exchange{id: "ready", want: 503})
}

// told is what the receiver was sent.
type told struct{ path, id string }

func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, true)
	received := make(chan told, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received <- told{r.URL.Path, r.Header.Get("Webhook-Id")}
		if r.URL.Path == "/ill" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(receiver.Close)

	order := c.orders()
	c.notifications(order)
	well := c.deliver(receiver.URL+"/well", received, "delivered")
	ill := c.deliver(receiver.URL+"/ill", received, "retrying")
	c.events(well, ill)
	c.retries(well, ill, received)
	c.configurations()
	c.operators()

	for id, op := range c.operations() {
		for status := range op.Operation.Responses.Map() {
			if success := status < "400"; success && !c.seen[id+" "+status] {
				t.Errorf("%s never answered %s, which the document promises", id, status)
			}
		}
	}
}

func (c *contract) orders() map[string]string {
	order := map[string]string{"orderId": "1001"}
	first := `{"state":{"currentStatus":"accepted"},"total":1.0}`
	c.fails("not_found", exchange{id: "getOrder", in: order, want: 404})
	c.fails("not_found", exchange{id: "patchOrder", in: order, body: `{}`, want: 404})
	c.fails("not_found", exchange{id: "deleteOrder", in: order, want: 404})
	seen2 := map[string]string{"If-Match": `"2"`}
	nowhere, elsewhere := map[string]string{"X-Channel": ""}, map[string]string{"X-Channel": "pos"}
	c.fails("channel_missing", exchange{id: "putOrder", in: order, body: first, header: nowhere, want: 400})
	c.fails("invalid_json", exchange{id: "putOrder", in: order, body: `{"a":1,"a":2,`, want: 400, lawless: true})
	c.fails("invalid_input", exchange{id: "putOrder", in: order, body: `[]`, want: 422, lawless: true})
	c.fails("invalid_input", exchange{id: "putOrder", in: map[string]string{"orderId": "a b"}, body: `{}`, want: 422, lawless: true})
	large := `{"x":"` + strings.Repeat("x", api.MaxBodyBytes-10) + `"}`
	c.fails("body_too_large", exchange{id: "putOrder", in: order, body: large + "   ", want: 413})

	c.do(exchange{id: "putOrder", in: order, body: first, want: 201})
	again := `{"total":1,"state":{"currentStatus":"accepted"}}`
	if a := c.do(exchange{id: "putOrder", in: order, body: again, want: 200}); a.at(c.t, "version") != "1" {
		c.t.Errorf("no change by meaning: %s", a.body)
	}
	if a := c.do(exchange{id: "patchOrder", in: order, body: `{"total":2}`, want: 200}); a.at(c.t, "changed") != "[/total]" {
		c.t.Errorf("changed: %s", a.body)
	}
	c.do(exchange{id: "putOrder", in: order, body: `{"total":3}`, header: seen2, want: 200})
	c.fails("version_differs", exchange{id: "putOrder", in: order, body: first, header: seen2, want: 412})
	c.fails("version_differs", exchange{id: "patchOrder", in: order, body: first, header: seen2, want: 412})
	c.fails("version_differs", exchange{id: "deleteOrder", in: order, header: seen2, want: 412})
	c.fails("channel_differs", exchange{id: "putOrder", in: order, body: first, header: elsewhere, want: 409})
	c.fails("order_too_large", exchange{id: "patchOrder", in: order, body: large, want: 413}) // what is there comes on top
	if a := c.do(exchange{id: "getOrder", in: order, want: 200}); string(a.body) != `{"total":3}` {
		c.t.Errorf("order = %s", a.body)
	}
	for _, seen := range []string{`"3"`, `"2", W/"3"`, "*"} {
		c.do(exchange{id: "getOrder", in: order, header: map[string]string{"If-None-Match": seen}, want: 304})
	}
	c.fails("invalid_input", exchange{id: "getOrder", in: map[string]string{"orderId": "a b"}, want: 422, lawless: true})

	gone := map[string]string{"orderId": "gone"}
	c.do(exchange{id: "putOrder", in: gone, body: first, want: 201})
	c.do(exchange{id: "deleteOrder", in: gone, want: 204})
	return order
}

func (c *contract) notifications(order map[string]string) {
	examples := c.operation("postNotification").examples(c.t)
	with := func(id string) map[string]string { return map[string]string{"orderId": order["orderId"], "id": id} }
	key := map[string]string{"Idempotency-Key": "k-1"}
	var id string
	for _, form := range []string{"guide", "pointer"} {
		a := c.do(exchange{id: "postNotification", in: order, body: examples[form], want: 201})
		if id = a.at(c.t, "id"); !strings.HasSuffix(a.header.Get("Location"), "/notifications/"+id) {
			c.t.Errorf("Location = %s", a.header.Get("Location"))
		}
		c.do(exchange{id: "postNotification", in: order, body: examples[form], want: 200}) // the same is registered once
		c.do(exchange{id: "getNotification", in: with(id), want: 200})
	}
	c.do(exchange{id: "postNotification", in: order, body: examples["least"], header: key, want: 201})
	a := c.do(exchange{id: "postNotification", in: order, body: examples["least"], header: key, want: 201})
	if a.header.Get("Idempotency-Replayed") != "true" {
		c.t.Errorf("not a replay: %v", a.header)
	}
	c.fails("idempotency_key_reused", exchange{id: "postNotification", in: order, body: examples["guide"], header: key, want: 422})
	c.fails("idempotency_key_invalid", exchange{id: "postNotification", in: order, body: examples["least"],
		header: map[string]string{"Idempotency-Key": "a b"}, want: 400, lawless: true})
	other := `{"id":"` + id + `","url":"https://a.example.com/","scope":"/a"}`
	c.fails("id_taken", exchange{id: "postNotification", in: order, body: other, want: 409})
	list := c.do(exchange{id: "listNotifications", in: order, want: 200})
	if list.at(c.t, "data", 0, "signing", "secret") != dispatcher.Redacted {
		c.t.Errorf("secret told: %s", list.body)
	}
	c.do(exchange{id: "putNotification", in: with(id), body: examples["least"], want: 200})
	c.fails("not_found", exchange{id: "putNotification", in: with("none"), body: examples["least"], want: 404})
	c.fails("not_found", exchange{id: "getNotification", in: with("none"), want: 404})
	c.fails("not_found", exchange{id: "listNotifications", in: map[string]string{"orderId": "none"}, want: 404})
	c.do(exchange{id: "deleteNotification", in: with(id), want: 204})
	c.fails("not_found", exchange{id: "deleteNotification", in: with(id), want: 404})
}

// owed is a delivery that was sent once.
type owed struct{ order, delivery, notification, event string }

// deliver makes a change, sees its delivery arrive, and waits until it stands as it must.
func (c *contract) deliver(to string, received <-chan told, status string) owed {
	c.t.Helper()
	d := owed{order: "order-of-" + to[strings.LastIndex(to, "/")+1:]}
	a := c.do(exchange{id: "putOrder", in: map[string]string{"orderId": d.order}, want: 201, body: `{"state":{"currentStatus":"completed"},
		"notifications":[{"url":"` + to + `","headers":{"X-Key":"s"},"scope":{"state":["completed"]},
		"adapterId":"erp","reference":"r","expiresAfter":"720h"}]}`})
	d.delivery, d.notification = a.at(c.t, "deliveries", 0, "id"), a.at(c.t, "deliveries", 0, "notificationId")
	c.arrives(d, received)
	d.event = c.await(d, 1, status)
	return d
}

func (c *contract) arrives(d owed, received <-chan told) {
	c.t.Helper()
	select {
	case got := <-received:
		if got.id != d.delivery {
			c.t.Fatalf("%s arrived at %s, want %s", got.id, got.path, d.delivery)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatal("nothing arrived within 10 s")
	}
}

// await polls until so many attempts are recorded and the delivery has the status; it gives the id of the last Event.
func (c *contract) await(d owed, attempts int, status string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		a := c.do(exchange{id: "getDelivery", in: map[string]string{"deliveryId": d.delivery}, want: 200})
		var v struct {
			Status   string
			InFlight bool
			Attempts []struct{ EventID string }
		}
		if err := json.Unmarshal(a.body, &v); err != nil {
			c.t.Fatal(err)
		}
		if len(v.Attempts) == attempts && v.Status == status && !v.InFlight {
			return v.Attempts[attempts-1].EventID
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("the delivery never had %d attempts and the status %s: %s", attempts, status, a.body)
		}
	}
}

func (c *contract) events(well, ill owed) {
	for _, d := range []owed{well, ill} {
		c.do(exchange{id: "getEvent", in: map[string]string{"eventId": d.event}, want: 200})
		c.do(exchange{id: "norceGetEvent", in: map[string]string{"eventId": d.event}, want: 200})
	}
	list := func(query url.Values) answer { return c.do(exchange{id: "listEvents", query: query, want: 200}) }
	first := list(url.Values{"limit": {"1"}, "reference": {"r"}})
	if got := first.at(c.t, "data", 0, "id"); got != ill.event {
		c.t.Errorf("newest = %s, want %s", got, ill.event)
	}
	second := list(url.Values{"limit": {"1"}, "reference": {"r"}, "cursor": {first.at(c.t, "pagination", "next")}})
	if got := second.at(c.t, "data", 0, "id"); got != well.event {
		c.t.Errorf("next = %s, want %s", got, well.event)
	}
	for name, value := range map[string]string{
		"orderId": ill.order, "scope": "state.completed", "notificationId": ill.notification, "deliveryId": ill.delivery,
		"adapterId": "erp", "channel": "web", "outcome": "failed", "reason": "status_5xx", "statusCode": "5xx",
		"from": "2020-01-01T00:00:00Z",
	} {
		if got := list(url.Values{name: {value}}).at(c.t, "data", 0, "id"); got != ill.event {
			c.t.Errorf("%s=%s: newest = %s, want %s", name, value, got, ill.event)
		}
	}
	if got := list(url.Values{"offset": {"1"}}).at(c.t, "pagination", "totalSize"); got != "2" {
		c.t.Errorf("totalSize = %s, want 2", got)
	}
	norce := c.do(exchange{id: "norceListEvents", query: url.Values{"order_id": {well.order}, "limit": {"5"}}, want: 200})
	if got := norce.at(c.t, "data", 0, "id"); got != well.event {
		c.t.Errorf("norce: %s, want %s", got, well.event)
	}
	for _, wrong := range []url.Values{
		{"limit": {"0"}}, {"limit": {"101"}}, {"offset": {"10001"}}, {"outcome": {"lost"}}, {"reason": {"bad_luck"}},
		{"statusCode": {"6xx"}}, {"statusCode": {"50"}}, {"from": {"yesterday"}}, {"cursor": {"x"}}, {"orderId": {strings.Repeat("x", 513)}},
	} {
		c.fails("invalid_input", exchange{id: "listEvents", query: wrong, want: 422, lawless: true})
	}
	c.fails("invalid_input", exchange{id: "listEvents", query: url.Values{"colour": {"red"}}, want: 422})
	c.fails("invalid_input", exchange{id: "norceListEvents", query: url.Values{"limit": {"0"}}, want: 422, lawless: true})
	for _, unknown := range []string{anything["eventId"], "x"} {
		for _, id := range []string{"getEvent", "norceGetEvent", "retryEvent", "norceRetryEvent"} {
			c.fails("not_found", exchange{id: id, in: map[string]string{"eventId": unknown}, want: 404, lawless: unknown == "x"})
		}
	}
	c.fails("not_found", exchange{id: "getDelivery", in: map[string]string{"deliveryId": anything["deliveryId"]}, want: 404})
}

func (c *contract) retries(well, ill owed, received <-chan told) {
	force := c.operation("retryEvent").examples(c.t)["force"]
	in := func(d owed) map[string]string { return map[string]string{"eventId": d.event} }
	merchant := map[string]string{"Authorization": "Bearer merchant"}
	c.fails("already_delivered", exchange{id: "retryEvent", in: in(well), want: 409})
	c.fails("invalid_input", exchange{id: "retryEvent", in: in(well), body: `{"force":"yes"}`, want: 422, lawless: true})
	c.fails("invalid_json", exchange{id: "retryEvent", in: in(well), body: `{`, want: 400, lawless: true})
	if a := c.do(exchange{id: "retryEvent", in: in(well), body: force, header: merchant, want: 202}); a.at(c.t, "attempt") != "2" {
		c.t.Errorf("retried: %s", a.body)
	}
	c.arrives(well, received)
	c.await(well, 2, "delivered")
	c.do(exchange{id: "norceRetryEvent", in: in(ill), want: 202})
	c.arrives(ill, received)
	c.await(ill, 2, "retrying")

	// Settled without an attempt: its Event has no request.
	c.do(exchange{id: "deleteNotification", in: map[string]string{"orderId": ill.order, "id": ill.notification}, want: 204})
	cancelled := c.do(exchange{id: "getEvent", in: map[string]string{"eventId": c.await(ill, 3, "cancelled")}, want: 200})
	if got := cancelled.at(c.t, "reason"); got != "cancelled" {
		c.t.Errorf("reason = %s", got)
	}
	c.fails("not_retryable", exchange{id: "retryEvent", in: in(ill), want: 409})
	for _, id := range []string{"getFBPIOrder", "getFBPICustomer"} {
		c.do(exchange{id: id, in: map[string]string{"orderId": well.order}, want: 200})
	}
	c.do(exchange{id: "deleteOrder", in: map[string]string{"orderId": well.order}, want: 204})
	c.do(exchange{id: "getDelivery", in: map[string]string{"deliveryId": well.delivery}, want: 200})
	c.do(exchange{id: "getSigningKeys", want: 200})
	c.fails("payload_gone", exchange{id: "retryEvent", in: in(well), body: force, want: 409})
}

func (c *contract) configurations() {
	for prefix, in := range map[string]map[string]string{
		"":      {"adapterId": "erp"},
		"norce": {"merchant": "acme", "channel": "pos", "adapterId": "erp"},
	} {
		id := func(verb string) string {
			if prefix == "" {
				return strings.ToLower(verb) + "Configuration"
			}
			return prefix + verb + "Configuration"
		}
		body := c.operation(id("Put")).examples(c.t)["erp"]
		c.fails("not_found", exchange{id: id("Get"), in: in, want: 404})
		c.do(exchange{id: id("Put"), in: in, body: body, want: 201})
		c.do(exchange{id: id("Put"), in: in, body: body, want: 200})
		if a := c.do(exchange{id: id("Get"), in: in, want: 200}); a.at(c.t, "notifications", 0, "adapterId") != "erp" {
			c.t.Errorf("configuration = %s", a.body)
		}
		c.fails("invalid_input", exchange{id: id("Put"), in: in, body: `{"active":1,"notifications":[{}]}`, want: 422, lawless: true})
		c.fails("invalid_json", exchange{id: id("Put"), in: in, body: `{`, want: 400, lawless: true})
		c.do(exchange{id: id("Delete"), in: in, want: 204})
		c.fails("not_found", exchange{id: id("Delete"), in: in, want: 404})
	}
	c.fails("invalid_input", exchange{id: "getConfiguration", in: map[string]string{"adapterId": "erp"},
		header: map[string]string{"X-Channel": ""}, want: 422, lawless: true})
}

func (c *contract) operators() {
	c.do(exchange{id: "live", want: 200})
	c.do(exchange{id: "ready", want: 200})
	c.do(exchange{id: "openAPI", want: 200})
	c.do(exchange{id: "metrics", header: map[string]string{"Authorization": "Bearer admin"}, want: 200})
}

// TestProblemCodesAreDocumented reads the source for (code, status) and the document's responses for the same.
func TestProblemCodesAreDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	documented := map[string]bool{}
	for name, response := range c.doc.Components.Responses {
		schema := response.Value.Content["application/problem+json"].Schema.Value
		var codes, status any
		for _, part := range schema.AllOf { // the keywords beside the $ref to Problem
			if code := part.Value.Properties["code"]; code != nil && len(code.Value.Enum) > 0 {
				codes, status = code.Value.Enum, part.Value.Properties["status"].Value.Const
			}
		}
		list, _ := codes.([]any)
		if len(list) == 0 {
			t.Errorf("response %s lists no codes", name)
		}
		for _, code := range list {
			documented[fmt.Sprint(code, " ", status)] = true
		}
	}
	inSource := problemsOf(t)
	for pair := range inSource {
		if !documented[pair] {
			t.Errorf("%s is in the source, and not in the document", pair)
		}
	}
	for pair := range documented {
		if !inSource[pair] {
			t.Errorf("%s is in the document, and not in the source", pair)
		}
	}
	// What belongs to no operation is told in the text.
	for code, where := range map[string]string{
		"no_route": c.doc.Info.Description, "method_not_allowed": c.doc.Info.Description,
		"cross_origin": c.doc.Tags.Get("operation").Description,
	} {
		if !strings.Contains(where, code) {
			t.Errorf("%s is told nowhere", code)
		}
	}
}

// problemsOf finds the first two arguments of every problem(...), and the rows of the table kinds.
func problemsOf(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	note := func(at token.Position, status, code ast.Expr) {
		text, ok := code.(*ast.BasicLit)
		if !ok {
			if s, isField := code.(*ast.SelectorExpr); !isField || s.Sel.Name != "code" { // problemOf goes through kinds
				t.Errorf("%s: the code is no literal, and this test cannot read it", at)
			}
			return
		}
		name, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprint(name, " ", statusOf(t, at, status))] = true
	}
	inspect(t, "*.go", func(files *token.FileSet, n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "problem" {
				note(files.Position(n.Pos()), n.Args[0], n.Args[1])
			}
		case *ast.ValueSpec:
			if n.Names[0].Name != "kinds" {
				return
			}
			for _, row := range n.Values[0].(*ast.CompositeLit).Elts {
				fields := row.(*ast.CompositeLit).Elts
				note(files.Position(row.Pos()), fields[1], fields[2])
			}
		}
	})
	return found
}

func statusOf(t *testing.T, at token.Position, expr ast.Expr) int {
	t.Helper()
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if n, err := strconv.Atoi(expr.Value); err == nil {
			return n
		}
	case *ast.SelectorExpr: // http.StatusNotFound: the names are those of StatusText
		for status := 400; status < 600; status++ {
			if text := http.StatusText(status); text != "" && "Status"+strings.ReplaceAll(text, " ", "") == expr.Sel.Name {
				return status
			}
		}
	}
	t.Errorf("%s: this test cannot read the status", at)
	return 0
}

// inspect walks the Go files of a pattern, tests aside.
func inspect(t *testing.T, pattern string, visit func(*token.FileSet, ast.Node)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	files, read := token.NewFileSet(), 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		read++
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(files, n)
			}
			return true
		})
	}
	if read == 0 {
		t.Fatalf("no source at %s", pattern)
	}
}

func TestEnumsAreThoseOfTheDomain(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	constants := map[string][]string{} // type -> values
	inspect(t, filepath.Join("..", "dispatcher", "*.go"), func(_ *token.FileSet, n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return
		}
		name, typed := spec.Type.(*ast.Ident)
		text, literal := spec.Values[0].(*ast.BasicLit)
		if !typed || !literal || text.Kind != token.STRING {
			return
		}
		value, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		constants[name.Name] = append(constants[name.Name], value)
	})
	want := map[string][]string{"Format": wire.Names()}
	for _, name := range []string{"Reason", "Outcome", "Status", "Sent", "Trigger", "Ordering"} {
		want[name] = constants[name]
	}
	var reasons []string
	for _, reason := range dispatcher.Reasons {
		reasons = append(reasons, string(reason))
	}
	same(t, "dispatcher.Reasons", constants["Reason"], reasons)
	for name, values := range want {
		if len(values) == 0 {
			t.Errorf("%s has no values in the source", name)
		}
		same(t, name, c.enum(c.doc.Components.Schemas[name]), values)
	}
	for _, name := range []string{"NotificationInput", "Notification"} {
		same(t, name+".method", c.enum(c.doc.Components.Schemas[name].Value.Properties["method"]), dispatcher.Methods)
	}
}

func (c *contract) enum(schema *openapi3.SchemaRef) (values []string) {
	for _, value := range schema.Value.Enum {
		values = append(values, fmt.Sprint(value))
	}
	return values
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if a, b := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)); !slices.Equal(a, b) {
		t.Errorf("%s: %v in the document, %v in the source", what, a, b)
	}
}
