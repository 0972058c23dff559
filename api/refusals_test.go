package api_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const good = `{"url":"https://h.example/","scope":{"state":["*"]}}`

// refusals are bodies of an order with the pointers of all their faults, sorted.
var refusals = []struct {
	name, body string
	status     int
	pointers   string
}{
	// Text that is no JSON of ours.
	{"empty body", ``, 400, ""},
	{"only space", "  \n", 400, ""},
	{"cut off", `{"a":`, 400, "/a"},
	{"trailing data", `{"a":1} {"b":2}`, 400, ""},
	{"trailing comma", `{"a":1,}`, 400, ""},
	{"duplicate keys everywhere", `{"a":1,"b":{"c":1,"c":2},"\u0061":3}`, 400, "/a /b/c"}, // names are compared decoded
	{"invalid UTF-8", "{\"a\":\"\xff\",\"b\":\"\xc0\xaf\"}", 400, "/a /b"},
	{"half a surrogate pair", `{"a":"\ud800"}`, 400, "/a"},
	{"too deep", `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, 400, "/a" + strings.Repeat("/0", 63)},
	{"numbers out of range", `{"a":1e401,"b":[-1e-401],"c":` + strings.Repeat("9", 401) + `}`, 400, "/a /b/0 /c"},
	{"several kinds at once", `{"a":1,"a":1e999,"b":"\ud800"}`, 400, "/a /a /b"},
	{"NaN", `{"a":NaN}`, 400, "/a"},
	{"byte order mark", "\ufeff{}", 400, ""},

	// JSON that is no order.
	{"array", `[]`, 422, ""}, {"string", `"x"`, 422, ""}, {"number", `1`, 422, ""}, {"null", `null`, 422, ""}, {"true", `true`, 422, ""},

	// Registrations in it.
	{"lists that are none", `{"notifications":"x","callback_urls":{"a":1}}`, 422, "/callback_urls /notifications"},
	{"callback_urls", `{"callback_urls":["https://h.example/ok",7,null,"ftp://h.example/","https://u:p@h.example/","","https://10.0.0.1/"]}`, 422,
		"/callback_urls/1 /callback_urls/2 /callback_urls/3 /callback_urls/4 /callback_urls/5 /callback_urls/6"},
	{"items that are none", `{"notifications":[1,"x",null,[],` + good + `]}`, 422,
		"/notifications/0 /notifications/1 /notifications/2 /notifications/3"},
	{"several with several faults", `{"notifications":[` + good + `,{"url":"ftp://h.example/","scope":{"sate":["x"],"payment":false},"colour":1},
		{"method":"GET","retry":{"maxAttempts":51,"schedule":["1s","0.5s","73h","x"]},"timeout":"31s","expiresAfter":"721h",
		 "url":"https://h.example/","scope":"/a"}],"callback_urls":["x"]}`, 422,
		"/callback_urls/0 /notifications/1/colour /notifications/1/scope/payment /notifications/1/scope/sate /notifications/1/url " +
			"/notifications/2/expiresAfter /notifications/2/method /notifications/2/retry/maxAttempts " +
			"/notifications/2/retry/schedule/1 /notifications/2/retry/schedule/2 /notifications/2/retry/schedule/3 /notifications/2/timeout"},
	{"seal that does not fit", `{"notifications":[{"url":"https://h.example/?a;b","scope":"","signing":{"scheme":"http-message-signatures","secret":"whpk_x"}}]}`, 422,
		"/notifications/0/signing/scheme /notifications/0/signing/secret"},
	{"redacted on create", `{"notifications":[{"url":"https://h.example/","scope":"","headers":{"X-Key":"******","X~K":"******"},
		"signing":{"scheme":"standard-webhooks","secret":"******"}},` + good + `,{"url":"https://h.example/2","scope":"","headers":{"A":"******"}}]}`, 422,
		"/notifications/0/headers/X-Key /notifications/0/headers/X~0K /notifications/0/signing/secret /notifications/2/headers/A"},
}

// Nothing is half-registered: after a refusal all is as it was before.
func TestRefusedOrders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.put(t, 201, "there", `{"a":1}`)
		for _, row := range refusals {
			for _, method := range []string{http.MethodPut, http.MethodPatch} {
				for _, id := range []string{"there", "new"} {
					a := d.call(t, method, orders+id, row.body, "X-Channel: web")
					want := row.status
					if method == http.MethodPatch && id == "new" && row.name == "redacted on create" {
						want = 404 // its faults depend on what is registered, and the order is not there
					}
					if a.status != want {
						t.Errorf("%s: %s %s: %d %s, want %d", row.name, method, id, a.status, a.body, want)
						continue
					}
					if got := strings.Join(slices.Compact(a.pointers(t)), " "); want != 404 && got != strings.Join(slices.Compact(strings.Fields(row.pointers)), " ") {
						t.Errorf("%s: %s %s: faults at\n%s, want\n%s", row.name, method, id, got, row.pointers)
					}
					if strings.Contains(a.body, "u:p@") {
						t.Errorf("%s: the answer tells a password: %s", row.name, a.body)
					}
				}
			}
			if got := d.registered(t, "there"); len(got) != 0 {
				t.Errorf("%s: registered %v", row.name, got)
			}
		}
		if got := d.must(t, 200, http.MethodGet, orders+"there", ""); got.body != `{"a":1}` || got.header.Get("ETag") != `"1"` {
			t.Errorf("the order is %s at %s", got.body, got.header.Get("ETag"))
		}
		d.must(t, 404, http.MethodGet, orders+"new", "")
		d.must(t, 404, http.MethodGet, orders+"new/notifications", "")
		// And with the same body made good it is registered.
		d.put(t, 200, "there", `{"a":1,"notifications":[`+good+`]}`)
		if got := d.registered(t, "there"); len(got) != 1 {
			t.Errorf("registered %v", got)
		}
	})
}

func TestTooLargeBodies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		fits := `{"a":"` + strings.Repeat("x", 1<<20-8) + `"}`
		d.put(t, 201, "fits", fits) // 1 MiB to the byte
		for _, row := range []struct{ method, path string }{
			{http.MethodPut, orders + "1"}, {http.MethodPatch, orders + "fits"}, {http.MethodPost, orders + "1/notifications"},
			{http.MethodPut, v0 + "/configurations/erp"},
		} {
			for _, key := range []string{"", "key"} { // with an Idempotency-Key the body is read elsewhere
				if p := d.must(t, 413, row.method, row.path, fits+" ", "X-Channel: web", "Idempotency-Key: "+key).problem(t); p.Code != "body_too_large" {
					t.Errorf("%s %s: code %s", row.method, row.path, p.Code)
				}
			}
		}
		d.must(t, 404, http.MethodGet, orders+"1", "")
	})
}

// Every row breaks one notification; the pointers are those of all its faults.
func TestRefusedNotifications(t *testing.T) {
	t.Parallel()
	url := func(raw string) string { return `{"scope":"","url":"` + raw + `"}` }
	with := func(member string) string { return `{"scope":"","url":"https://h.example/",` + member + `}` }
	rows := []struct{ name, body, pointers string }{
		{"nothing", `{}`, "/scope /url"},
		{"both names of the URL", `{"scope":"","url":"https://h.example/","invoke":"https://h.example/"}`, "/url"},
		{"bad invoke", `{"scope":"","invoke":"ftp://h.example/"}`, "/invoke"},
		{"user and password", url("https://user:s3cret@h.example/"), "/url"},
		{"user", url("https://s3cret@h.example/"), "/url"},
		{"ftp", url("ftp://h.example/"), "/url"},
		{"plain http", url("http://h.example/"), "/url"},
		{"private address", url("https://192.168.1.1/"), "/url"},
		{"loopback", url("https://127.0.0.1/"), "/url"},
		{"metadata", url("https://169.254.169.254/latest"), "/url"},
		{"embedded IPv4", url("https://[::ffff:10.0.0.1]/"), "/url"},
		{"localhost", url("https://localhost/"), "/url"},
		{"no host", url("https:///x"), "/url"},
		{"relative", url("/x"), "/url"},
		{"fragment", url("https://h.example/#x"), "/url"},
		{"newline", url(`https://h.example/\r\nX: y`), "/url"},
		{"placeholder in the host", url("https://{order.host}/"), "/url"},
		{"order opens the URL", url("{order.url}/x"), "/url"},
		{"unbalanced", url("https://h.example/{order.id"), "/url"},
		{"too long", url("https://h.example/" + strings.Repeat("x", 2040)), "/url"},
		{"bad scopes", `{"url":"https://h.example/","scope":{}}`, "/scope"},
		{"pointer", `{"url":"https://h.example/","scope":"state"}`, "/scope"},
		{"scope of a wrong type", `{"url":"https://h.example/","scope":7}`, "/scope"},
		{"unknown members of a scope", `{"url":"https://h.example/","scope":{"a":1,"payment":"yes","state":[1,"x","x"]}}`,
			"/scope/a /scope/payment /scope/state/0 /scope/state/2"},
		{"schema beside an object", `{"url":"https://h.example/","scope":{"cart":true},"schema":true}`, "/schema"},
		{"schema that is none", `{"url":"https://h.example/","scope":"/a","schema":{"type":"strin"}}`, "/schema/type"},
		{"remote $ref", `{"url":"https://h.example/","scope":"/a","schema":{"$ref":"https://evil.example/schema"}}`, "/schema"},
		{"reserved headers", with(`"headers":{"host":"h","Content-Length":"1","TRANSFER-ENCODING":"chunked","Connection":"close",
			"Webhook-Signature":"x","webhook-id":"x","x-tidings-event":"x","Upgrade":"x","X-Ok":"x"}`),
			"/headers/Connection /headers/Content-Length /headers/TRANSFER-ENCODING /headers/Upgrade /headers/Webhook-Signature " +
				"/headers/host /headers/webhook-id /headers/x-tidings-event"},
		{"headers that say whose order it is and what caused the request", with(`"headers":{"X-Merchant":"other","x-channel":"other","traceparent":"x","TraceState":"x",
			"User-Agent":"mine","Content-Type":"text/plain","Authorization":"Bearer x","X-AdapterId":"erp"}`),
			"/headers/TraceState /headers/X-Merchant /headers/traceparent /headers/x-channel"},
		{"header values", with(`"headers":{"A":"x\r\nHost: evil","B":"x\ny","C":"\u0000","D":7,"E":null}`), "/headers/A /headers/B /headers/C /headers/D /headers/E"},
		{"long header value", with(`"headers":{"A":"` + strings.Repeat("x", 4097) + `"}`), "/headers/A"},
		{"header names", with(`"headers":{"A B":"x","":"x","Ü":"x","A:":"x","A\n":"x"}`), "/headers/ /headers/A\n /headers/A B /headers/A: /headers/Ü"},
		{"wrong types", `{"url":7,"invoke":[],"method":1,"headers":[],"scope":"","adapterId":{},"reference":1,"excludeActors":"erp",
			"format":1,"options":[],"signing":"x","ordering":1,"retry":[],"timeout":10,"expiresAfter":true,"version":0,"id":1}`,
			"/adapterId /excludeActors /expiresAfter /format /headers /id /invoke /method /options /ordering /reference /retry /signing /timeout /url /version"},
		{"wrong values", with(`"method":"DELETE","adapterId":"a b","reference":"a\nb","excludeActors":["a","a b"],"format":"xml",
			"ordering":"fifo","version":"v2","id":"a/b","timeout":"5 minutes","retry":{"maxAttempts":-1}`),
			"/adapterId /excludeActors/1 /format /id /method /ordering /reference /retry/maxAttempts /timeout /version"},
		{"actors repeated", with(`"excludeActors":["a","a"]`), "/excludeActors"},
		{"unknown members", with(`"Url":"x","retry":{"max":1},"signing":{"scheme":"none","key":"x"}`), "/Url /retry/max /signing/key"},
		{"signing without scheme", with(`"signing":{}`), "/signing/scheme"},
		{"unknown scheme", with(`"signing":{"scheme":"hmac"}`), "/signing/scheme"},
		{"short secret", with(`"signing":{"scheme":"standard-webhooks","secret":"whsec_c2hvcnQ="}`), "/signing/secret"},
		{"secret without a scheme", with(`"signing":{"scheme":"none","secret":"x"}`), "/signing/secret"},
		{"times below", with(`"timeout":"99ms","expiresAfter":"999ms","retry":{"schedule":["-1s"]}`), "/expiresAfter /retry/schedule/0 /timeout"},
		{"redacted on create", with(`"headers":{"A":"******"},"signing":{"scheme":"standard-webhooks","secret":"******"}`), "/headers/A /signing/secret"},
		{"array", `[]`, ""},
	}
	each(t, func(t *testing.T, d door) {
		d.put(t, 201, "there", `{"a":1,"notifications":[{"id":"n1","url":"https://h.example/first","scope":""}]}`)
		before := d.registered(t, "there")
		for _, row := range rows {
			for _, path := range []string{"POST " + orders + "there/notifications", "PUT " + orders + "there/notifications/n1", "POST " + orders + "new/notifications"} {
				method, path, _ := strings.Cut(path, " ")
				a := d.call(t, method, path, row.body, "X-Channel: web")
				if a.status != 422 {
					t.Errorf("%s: %s %s: %d %s, want 422", row.name, method, path, a.status, a.body)
					continue
				}
				if got := strings.Join(slices.Compact(a.pointers(t)), " "); got != row.pointers {
					t.Errorf("%s: %s: faults at\n%q, want\n%q", row.name, method, got, row.pointers)
				}
				if strings.Contains(a.body, "s3cret") {
					t.Errorf("%s: the answer tells a secret: %s", row.name, a.body)
				}
			}
		}
		after := d.registered(t, "there")
		if len(after) != 1 || !maps.EqualFunc(after[0], before[0], func(a, b any) bool { return a == b }) {
			t.Errorf("registered\n%v, want\n%v", after, before)
		}
		if d.load(t, "new").Known() || d.load(t, "there").Order.Version != 1 {
			t.Error("a refused registration left something")
		}
	})
}

func TestRefusedIDsAndHeaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for _, id := range []string{"a%20b", "a%2Fb", "%C3%BC", "a%00b", strings.Repeat("x", 129), "a%0Ab", "*", "%7Bx%7D"} {
			for _, row := range []struct{ method, path string }{
				{http.MethodPut, orders + id}, {http.MethodPatch, orders + id}, {http.MethodGet, orders + id}, {http.MethodDelete, orders + id},
				{http.MethodPost, orders + id + "/notifications"}, {http.MethodGet, orders + id + "/notifications"},
				{http.MethodPut, v0 + "/configurations/" + id}, {http.MethodGet, v0 + "/configurations/" + id},
			} {
				if a := d.call(t, row.method, row.path, `{"url":"https://h.example/","scope":""}`, "X-Channel: web"); a.status != 422 {
					t.Errorf("%s %s: %d %s, want 422", row.method, row.path, a.status, a.body)
				}
			}
		}
		for _, header := range []string{"X-Channel: a b", "X-Channel: a/b", "X-Channel: " + strings.Repeat("x", 65), "X-AdapterId: a b", "X-AdapterId: " + strings.Repeat("x", 129)} {
			for _, row := range []struct{ method, path, body string }{
				{http.MethodPut, orders + "1", `{}`}, {http.MethodPost, orders + "1/notifications", good},
			} {
				if a := d.call(t, row.method, row.path, row.body, "X-Channel: web", header); a.status != 422 || !strings.Contains(a.body, header[:strings.Index(header, ":")]) {
					t.Errorf("%s %s with %s: %d %s, want 422 that names the header", row.method, row.path, header, a.status, a.body)
				}
			}
		}
		// Faults of the address and of the body are told together.
		a := d.must(t, 422, http.MethodPut, orders+"a%20b", `{"notifications":1}`, "X-Channel: a b", "X-AdapterId: a b")
		if got := a.problem(t).Errors; len(got) != 4 {
			t.Errorf("%d faults, want four: %s", len(got), a.body)
		}
		for _, id := range []string{"A-z_0.9:x", strings.Repeat("x", 128), "..", "."} { // dots alone are names, too
			if a := d.call(t, http.MethodPut, orders+strings.ReplaceAll(id, ".", "%2E"), `{}`, "X-Channel: web"); a.status != 201 {
				t.Errorf("order %s: %d %s, want 201", id, a.status, a.body)
			}
		}
		if d.load(t, "1").Known() {
			t.Error("a refused request left something")
		}
	})
}
