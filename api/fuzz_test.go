package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"golang.org/x/net/http/httpguts"

	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store/storetest"
)

// fuzzed is a door that is emptied before every input.
type fuzzed struct {
	door
	rdb *redis.Client
}

func openFuzzed(f *testing.F) fuzzed {
	f.Helper()
	rdb := storetest.Mini(f)
	return fuzzed{open(f, rdb), rdb}
}

func (d fuzzed) empty(t *testing.T) {
	t.Helper()
	if err := d.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

// send hands a request of acme's adapter over; an error of ours is a failure, whatever was sent. Headers are name, value.
func (d fuzzed) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+adapterToken)
	r.Header.Set("X-Merchant", "acme")
	r.Header.Set("X-Channel", "web")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := reply{w.Code, w.Header(), string(text)}
	if a.status >= 500 {
		t.Fatalf("%s %s %q: %d %s", method, path, body, a.status, a.body)
	}
	if a.status >= 400 {
		a.checkProblem(t)
	}
	return a
}

// sends is send for what must come out with that status.
func (d fuzzed) sends(t *testing.T, status int, method, path, body string, headers ...string) reply {
	t.Helper()
	a := d.send(t, method, path, body, headers...)
	if a.status != status {
		t.Fatalf("%s %s %q: %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	return a
}

func parsed(t testing.TB, text string) scope.Value {
	t.Helper()
	v, faults := scope.Parse([]byte(text), scope.DefaultLimits)
	if len(faults) > 0 {
		t.Fatalf("%q: %v", text, faults)
	}
	return v
}

var documents = []string{
	`{"a":1}`, `{}`, `[]`, `null`, `{"state":{"currentStatus":"completed"},"total":93.09000000}`, `{"a":{"b":null,"c":[{}]},"":0,"a/b":"~","ü":"\ud83d\ude00"}`,
	`{"notifications":[` + good + `]}`, `{"callback_urls":["https://h.example/"],"items":[1,1.0,1e2,-0]}`, `{"a":1,"a":2}`, `{"a":`, "\xff", `{"a":1e400}`,
	`{"notifications":null,"callback_urls":[]}`, `{"notifications":[{"url":"https://h.example/","scope":"/a","schema":{"type":"number"}}],"a":2}`,
	`{"id":7,"merchant":[],"created":"never","state":"x"}`, strings.Repeat(`{"a":`, 63) + `1` + strings.Repeat(`}`, 63),
}

// What is accepted is what is read back; what is refused leaves nothing; the same again changes nothing.
func FuzzOrder(f *testing.F) {
	for _, seed := range documents {
		f.Add(seed)
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, body string) {
		d.empty(t)
		a := d.send(t, http.MethodPut, orders+"1", body)
		if a.status != http.StatusCreated {
			if d.load(t, "1").Known() {
				t.Fatalf("%q is refused with %d, and left something", body, a.status)
			}
			return
		}
		want := parsed(t, body).Without("notifications", "callback_urls")
		if got := d.sends(t, 200, http.MethodGet, orders+"1", ""); !scope.Equal(parsed(t, got.body), want) {
			t.Fatalf("%q is read back as %s", body, got.body)
		}
		if again := d.sends(t, 200, http.MethodPut, orders+"1", body); again.header.Get("ETag") != `"1"` {
			t.Fatalf("%q again is version %s: %s", body, again.header.Get("ETag"), again.body)
		}
		for _, path := range []string{"/notifications", ""} {
			d.sends(t, 200, http.MethodGet, orders+"1"+path, "")
		}
		d.sends(t, 200, http.MethodGet, "/fbpi/v1/fbpi-order/1/get", "")
		d.sends(t, 200, http.MethodGet, "/fbpi/v1/fbpi-order/1/customer-details/get", "")
		d.sends(t, 204, http.MethodDelete, orders+"1", "")
	})
}

// A patch does what RFC 7396 says (scope.Merge is held to it by its own target), or nothing.
func FuzzOrderPatch(f *testing.F) {
	for i, seed := range documents {
		f.Add(seed, documents[(i+5)%len(documents)])
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, body, patch string) {
		d.empty(t)
		if a := d.send(t, http.MethodPut, orders+"1", body); a.status != http.StatusCreated {
			t.Skip("FuzzOrder's")
		}
		before := d.sends(t, 200, http.MethodGet, orders+"1", "").body
		a := d.send(t, http.MethodPatch, orders+"1", patch)
		after := d.sends(t, 200, http.MethodGet, orders+"1", "").body
		if a.status != http.StatusOK {
			if before != after {
				t.Fatalf("%s patched with %q: %d, and yet %s", before, patch, a.status, after)
			}
			return
		}
		want := scope.Merge(parsed(t, before), parsed(t, patch).Without("notifications", "callback_urls"))
		if !scope.Equal(parsed(t, after), want) {
			t.Fatalf("%s patched with %q is %s, want %s", before, patch, after, want.JSON())
		}
	})
}

var registrations = []string{
	good, `{"url":"https://h.example/{order.id}?a={configuration.b}","scope":"/a","schema":{"type":"number"},"adapterId":"erp"}`,
	`{"invoke":"https://h.example/","scope":{"payment":true,"state":["x"]},"method":"PUT","headers":{"X-Key":"s","authorization":"t"},"created":1}`,
	`{"id":"n","url":"https://h.example/","scope":"","format":"cloudevents","options":{"source":"x"},"ordering":"latest","version":"v1"}`,
	`{"url":"https://h.example/?q=1","scope":"/a~1b","format":"fatpay","timeout":"1.5s","expiresAfter":"2h","retry":{"maxAttempts":3,"schedule":["1s","5m"]}}`,
	`{"url":"https://h.example/","scope":"","signing":{"scheme":"standard-webhooks","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},"excludeActors":["a"]}`,
	`{"url":"https://h.example/","scope":"","headers":{"A":"******"}}`, `{"url":"","scope":{},"reference":"\u0000","description":"ü"}`, `{"url":"{configuration.base}/x","scope":"","format":"fbpi"}`,
	`[]`, `7`, `{"retry":null,"signing":null,"headers":null,"url":"https://h.example/","scope":""}`, `{"url":"https://xn--a.example:0/","scope":"/"}`, `{`,
}

// A registration that is accepted can be read, written back as read, kept and matched; a refused one leaves nothing.
func FuzzNotification(f *testing.F) {
	for _, seed := range registrations {
		f.Add(seed)
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, body string) {
		d.empty(t)
		a := d.send(t, http.MethodPost, orders+"1/notifications", body)
		if a.status != http.StatusCreated {
			if d.load(t, "1").Known() {
				t.Fatalf("%q is refused with %d, and left something", body, a.status)
			}
			return
		}
		own := a.header.Get("Location")
		read := d.sends(t, 200, http.MethodGet, own, "").body
		if read != a.body {
			t.Fatalf("%q is answered %s, and read as %s", body, a.body, read)
		}
		for _, secret := range []string{"headers", "signing"} {
			for _, m := range parsed(t, read).Member(secret).Members() {
				if text, _ := m.Value.Text(); text != "******" && m.Name != "scheme" {
					t.Fatalf("%q is read with the secret %s", body, text)
				}
			}
		}
		if again := d.sends(t, 200, http.MethodPut, own, read).body; again != read {
			t.Fatalf("%s written back is %s", read, again)
		}
		for _, order := range []string{`{"state":{"currentStatus":"x"},"a":1,"payments":[1]}`, `{"state":{"currentStatus":"y"},"a":"2","cart":{"x":1}}`} {
			if a := d.send(t, http.MethodPut, orders+"1", order); a.status >= 300 {
				t.Fatalf("with %s registered: %d %s", read, a.status, a.body)
			}
		}
		d.sends(t, 204, http.MethodDelete, own, "")
	})
}

// A configuration that is accepted can be written back as it is read, and a new order takes its notifications.
func FuzzConfiguration(f *testing.F) {
	for _, seed := range registrations {
		f.Add(`{"active":true,"a":{"b":1},"notifications":[` + seed + `]}`)
	}
	for _, seed := range append(documents, `{"active":7}`, `{"active":null,"notifications":null}`, `{"active":false,"notifications":[`+good+`,`+good+`]}`) {
		f.Add(seed)
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, body string) {
		d.empty(t)
		const own = v0 + "/configurations/erp"
		if a := d.send(t, http.MethodPut, own, body); a.status != http.StatusCreated {
			d.sends(t, 404, http.MethodGet, own, "")
			return
		}
		read := d.sends(t, 200, http.MethodGet, own, "").body
		d.sends(t, 200, http.MethodPut, own, read)
		if again := d.sends(t, 200, http.MethodGet, own, "").body; again != read {
			t.Fatalf("%s written back is %s", read, again)
		}
		a := d.send(t, http.MethodPut, orders+"1", `{"a":1}`)
		if a.status != 201 {
			t.Fatalf("a new order under %s: %d %s", read, a.status, a.body)
		}
	})
}

var tagList = regexp.MustCompile(`^[ \t]*(|.*,[ \t]*)("1"|\*)[ \t]*(|,.*)$`)

// No header that a client can send is an error of ours, and a write passes If-Match only if it names the version.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"", `"1"`, `W/"1"`, `*`, `"2", "1"`, `"2"`, `,`, "erp", "a b", "Bearer x", "ü", strings.Repeat("x", 300), `"1`, "no-cache", "bytes=0-1"} {
		f.Add(seed, seed, seed)
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, tag, key, name string) {
		for _, text := range []string{tag, key, name} {
			if !httpguts.ValidHeaderFieldValue(text) {
				t.Skip("net/http answers this with 400 by itself")
			}
		}
		d.empty(t)
		d.sends(t, 201, http.MethodPut, orders+"1", `{"a":1}`)
		d.send(t, http.MethodGet, orders+"1", "", "If-None-Match", tag)
		a := d.send(t, http.MethodPatch, orders+"1", `{"a":2}`, "If-Match", tag)
		if tag != "" && (a.status == 200) != tagList.MatchString(tag) {
			t.Fatalf("If-Match %q: %d %s", tag, a.status, a.body)
		}
		d.send(t, http.MethodPut, orders+"2", `{}`, "X-AdapterId", name, "X-Channel", key)
		first := d.send(t, http.MethodPost, orders+"1/notifications", good, "Idempotency-Key", key)
		if second := d.send(t, http.MethodPost, orders+"1/notifications", good, "Idempotency-Key", key); first.status == 201 && key != "" && second.body != first.body {
			t.Fatalf("key %q: %s, then %s", key, first.body, second.body)
		}
		for _, header := range []string{"X-Merchant", "Authorization", "Content-Type", "X-Forwarded-For"} {
			a := d.send(t, http.MethodGet, orders+"1", "", header, name)
			if header == "Authorization" && name != "Bearer "+adapterToken && a.status == 200 && !strings.Contains(name, adapterToken) {
				t.Fatalf("let in with %q", name)
			}
		}
	})
}

// Whatever stands for an id in a path: it is known, unknown or no id, and never an error of ours.
func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"1", "..", "a/b", "%2e", "", "\x00", "ü", strings.Repeat("x", 200), "0190a7b2-0000-7000-8000-00000000003f", "2af03c5b9d8e4f60718293a4b5c6d7e8", ":retry", "{x}"} {
		f.Add(seed)
	}
	d := openFuzzed(f)
	f.Fuzz(func(t *testing.T, id string) {
		in := map[string]string{}
		for _, name := range []string{"channel", "orderId", "id", "eventId", "deliveryId", "adapterId"} {
			in[name] = url.PathEscape(id)
		}
		in["merchant"] = "acme"
		for route, row := range guarded {
			if row.does == anyone || row.does == operates || row.makes || !strings.Contains(route, ":") {
				continue
			}
			method, path := fill(route, in)
			path = strings.NewReplacer("/../", "/%2E%2E/", "/./", "/%2E/").Replace(path + "/")
			if a := d.send(t, method, strings.TrimSuffix(path, "/"), row.body); a.status < 400 {
				t.Fatalf("%s %s: %s", method, path, strconv.Quote(a.body))
			}
		}
	})
}
