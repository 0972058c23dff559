package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store"
)

// ask calls the API and keeps the whole answer.
func (s *stage) ask(p *process, token, method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Merchant", "acme")
	req.Header.Set("X-Channel", "web")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	s.add("answer "+method+" "+strings.TrimPrefix(path, "/api/v0/checkout"), fmt.Sprint(res.Header)+string(text))
	return res.StatusCode, string(text)
}

// call is ask as the adapter, under the prefix of the API.
func (s *stage) call(want int, method, path, body string, headers ...string) string {
	s.t.Helper()
	code, text := s.ask(s.api, s.api.token, method, "/api/v0/checkout"+path, body, headers...)
	if code != want {
		s.t.Errorf("%s %s: %d, want %d: %s", method, path, code, want, text)
	}
	return text
}

// events asks until every case has had an attempt that ended as it should.
func (s *stage) firstEvents(cases []plantedCase) map[string]dispatcher.Event {
	first := map[string]dispatcher.Event{}
	for _, c := range cases {
		found := s.api.events("reference="+c.name, 1)
		e := found[len(found)-1]
		if e.Reason != c.reason {
			s.t.Errorf("%s: ended with %q, want %q", c.name, e.Reason, c.reason)
		}
		first[c.name] = e
	}
	return first
}

// refusals sends what must not be taken, each with a secret where the fault is.
func (s *stage) refusals() {
	at := "/orders/1/notifications"
	here := func(name string) string { return s.plain("refused: " + name) }
	for name, c := range map[string]struct {
		code int
		body string
	}{
		"userinfo":           {422, `{"scope":{"payment":true},"url":"https://user:` + here("userinfo") + `@x.example/"}`},
		"user alone":         {422, `{"scope":{"payment":true},"url":"https://` + here("user") + `@x.example/"}`},
		"scheme":             {422, `{"scope":{"payment":true},"url":"ftp://x.example/?token=` + here("query of ftp") + `"}`},
		"fragment":           {422, `{"scope":{"payment":true},"url":"https://x.example/#` + here("fragment") + `"}`},
		"bad escape":         {422, `{"scope":{"payment":true},"url":"https://x.example/%zz?token=` + here("bad escape") + `"}`},
		"broken placeholder": {422, `{"scope":{"payment":true},"url":"https://x.example/?token={` + here("broken placeholder") + `"}`},
		"cut off":            {400, `{"headers":{"X-Key":"` + here("cut off") + `"`},
		"twice":              {400, `{"headers":{"X-Key":"` + here("twice") + `","X-Key":"` + here("again") + `"}}`},
		"bad escape in JSON": {400, `{"headers":{"X-Key":"` + here("bad JSON escape") + `\q"}}`},
		"line feed":          {422, `{"url":"https://x.example/","scope":{"payment":true},"headers":{"X-Key":"` + here("line feed") + `\n"}}`},
		"number":             {422, `{"url":"https://x.example/","scope":{"payment":true},"headers":{"X-Key":["` + here("list") + `"]}}`},
		"reserved":           {422, `{"url":"https://x.example/","scope":{"payment":true},"headers":{"Host":"` + here("reserved") + `"}}`},
		"no secret":          {422, `{"url":"https://x.example/","scope":{"payment":true},"signing":{"scheme":"standard-webhooks","secret":"whsec_` + here("bad whsec") + `!"}}`},
		"no key":             {422, `{"url":"https://x.example/","scope":{"payment":true},"signing":{"scheme":"standard-webhooks-v1a","secret":"whsk_` + here("bad whsk") + `"}}`},
		"no object":          {422, `{"url":"https://x.example/","scope":{"payment":true},"signing":"` + here("signing is text") + `"}`},
		"unknown value":      {422, `{"url":"https://x.example/","scope":{"payment":true},"secret":"` + here("unknown member's value") + `"}`},
		"kept":               {422, `{"url":"https://x.example/?` + here("query of another fault") + `","scope":{},"headers":{"X-Key":"` + here("header of another fault") + `"}}`},
	} {
		s.call(c.code, "POST", at, c.body)
		s.call(c.code, "POST", at, c.body, "Idempotency-Key", here("idempotency key of "+name))
	}
	member := s.plain("unknown member's name", "answer POST "+at) // the fault names the member to whom sent it
	s.call(422, "POST", at, `{"url":"https://x.example/","scope":{"payment":true},"`+member+`":1}`)
	for _, header := range []string{"Bearer " + here("wrong token"), "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+here("wrong password"))), here("no scheme")} {
		for _, path := range []string{"/api/v0/checkout/orders/1?token=" + here("query of a request"), "/metrics", "/monitoring/"} {
			if code, text := s.ask(s.api, "", "GET", path, "", "Authorization", header); code != 401 {
				s.t.Errorf("%s: %d %s", path, code, text)
			}
		}
	}
	for name, u := range map[string]string{"port": "redis://:%s@127.0.0.1:no/0", "scheme": "http://:%s@127.0.0.1/", "escape": "redis://:%s%%zz@127.0.0.1/", "option": "redis://127.0.0.1/0?password=%s&no=1",
		"cluster": "redis+cluster://:%s@[::1", "wrong": "unix://:%s@" + s.rdb.Options().Addr} {
		u = fmt.Sprintf(u, here("password in --redis-url: "+name))
		code, out, stderr := runFor(s.t, "check", "--redis-url", u)
		s.add("told: check "+name, out+stderr)
		more, out, stderr := runFor(s.t, "serve", "--redis-url", u, "--listen", "no", "--sealing-key", here("bad sealing key"))
		s.add("told: serve "+name, out+stderr)
		if code == 0 || more != 2 {
			s.t.Errorf("%s: %d %d", name, code, more)
		}
	}
}

// configured puts a configuration with secrets, and an order that its template is used for.
func (s *stage) configured(r *tattler) {
	read := []string{"answer PUT /configurations/", "answer GET /configurations/", "answer GET /api/v1/configuration/", "answer GET /orders/1/notifications", "answer GET /orders/9/notifications"}
	own := s.plain("configuration: own", read[:3]...)
	inPath, inQuery := s.text("configuration: in the path", read[:3]...), s.text("configuration: in the query", read[:3]...)
	header, query := s.plain("configuration: header value"), s.plain("configuration: query value", read...)
	login := func(name string) string {
		return "//user:" + s.plain("configuration: userinfo of a base "+name, read[:3]...)
	}
	document, _ := json.Marshal(map[string]any{
		"active": true, "base": r.URL, "login": map[string]string{"password": own, "key": inPath, "token": inQuery,
			"base": strings.Replace(r.URL, "//", login("good")+"@", 1), "broken": strings.Replace(r.URL, "//", login("broken")+"?@", 1)},
		"notifications": []any{
			map[string]any{"invoke": "{configuration.base}/configured/v-{configuration.login.key}/x?k={configuration.login.token}&own=" + query, "scope": map[string]any{"state": []string{"*"}}, "reference": "configured", "headers": map[string]string{"X-Key": header}},
			map[string]any{"invoke": "{configuration.login.base}/never", "scope": map[string]any{"state": []string{"*"}}, "reference": "userinfo"},
			map[string]any{"invoke": "{configuration.login.broken}/never", "scope": map[string]any{"state": []string{"*"}}, "reference": "broken"},
		}})
	s.call(201, "PUT", "/configurations/erp", string(document))
	s.call(200, "GET", "/configurations/erp", "")
	s.ask(s.api, s.api.token, "GET", "/api/v1/configuration/merchants/acme/channels/web/configurations/erp", "")
	s.call(201, "PUT", "/orders/9", `{"state":{"currentStatus":"created"}}`)
	s.call(200, "GET", "/orders/9/notifications", "")
	if e := s.api.events("reference=configured", 1)[0]; e.Outcome != dispatcher.Delivered || !strings.Contains(e.Request.URL, "/configured/******/x?") {
		s.t.Errorf("configured: %+v", e)
	}
	for reference, want := range map[string]dispatcher.Reason{"userinfo": dispatcher.ReasonBadURL, "broken": dispatcher.ReasonUnresolved} {
		if e := s.api.events("reference="+reference, 1)[0]; e.Reason != want {
			s.t.Errorf("%s: %+v", reference, e)
		}
	}
	got := r.got("configured")
	if len(got) != 1 || !strings.Contains(got[0].uri, url.PathEscape("v-"+inPath)) || got[0].query.Get("k") != inQuery || got[0].query.Get("own") != query || got[0].header.Get("X-Key") != header {
		s.t.Errorf("configured arrived as %+v", got)
	}
}

// merchantKey makes the merchant's RSA key and remembers its private half.
func (s *stage) merchantKey(t *testing.T, keys ...[]byte) {
	s.call(200, "GET", "/signing-keys", "")
	sealer, err := store.NewSealer(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(store.Config{Redis: s.rdb, Sealer: sealer})
	text, err := st.SigningKey(t.Context(), "acme", queue.RSAKeyKind, func() ([]byte, error) { return nil, fmt.Errorf("there is none") })
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.ParseRSAKeyPEM(text)
	if err != nil {
		t.Fatal("no key:", err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	s.given("merchant's RSA key", lines[len(lines)/2], string(key.D.Bytes()[:24]), string(key.Primes[0].Bytes()[:24]), key.D.String()[:40])
}
