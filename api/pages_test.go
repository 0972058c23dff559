package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/store/storetest"
)

// paged is a door with a page behind it that counts its visitors.
func paged(t *testing.T) (door, *atomic.Int32) {
	t.Helper()
	var visits atomic.Int32
	return open(t, storetest.Mini(t), func(cfg *api.Config) {
		cfg.Monitoring = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) })
	}), &visits
}

// ask hands a request to the API as it stands on the wire, without what a client would tidy up.
func (d door) ask(t *testing.T, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "get"}

// However the way to the pages is spelled, and with whatever method: only admins come there.
func TestPagesAreBehindAdmin(t *testing.T) {
	t.Parallel()
	d, visits := paged(t)
	for _, target := range []string{"/monitoring/", "/monitoring", "//monitoring/", "/monitoring//", "/monitoring/../monitoring/", "/./monitoring/",
		"/monitoring/..%2f", "/monitoring%2f", "/%6donitoring/", "/Monitoring/", "/monitoring/api/queues", "/monitoring/%2e%2e/metrics",
		"/health/../monitoring/", "/health/live/..%2f..%2fmonitoring/", "/monitoring;x/", "/monitoring/?a=/monitoring", "/monitoring/%00", "/openapi.yaml/../monitoring/",
		"/metrics", "//metrics", "/metrics/", "/%6detrics", "http://127.0.0.1/monitoring/"} {
		for _, method := range methods {
			for _, headers := range [][]string{nil, {"Authorization", "Bearer " + adapterToken}, {"Authorization", "Bearer " + readerToken},
				{"Authorization", "Basic " + adminToken}, {"Authorization", "Basic"}, {"Cookie", "token=" + adminToken}, {"X-HTTP-Method-Override", "GET"}} {
				w := d.ask(t, method, target, headers...)
				if w.Code < 300 || w.Code < 400 && w.Header().Get("Location") != "/monitoring/" {
					t.Errorf("%s %s with %v: %d", method, target, headers, w.Code)
				}
			}
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d came to the page", n)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/monitoring/", http.NoBody)
	r.SetBasicAuth("any", adminToken)
	if w := httptest.NewRecorder(); true {
		if d.handler.ServeHTTP(w, r); w.Code != 200 || visits.Load() != 1 {
			t.Errorf("the admin: %d", w.Code)
		}
	}
}

func TestPagesSayWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	d, visits := paged(t)
	admin := []string{"Authorization", "Bearer " + adminToken}
	w := d.ask(t, http.MethodGet, "/monitoring/", admin...)
	for name, part := range map[string]string{
		"Content-Security-Policy":      "frame-ancestors 'none'",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cache-Control":                "no-store",
	} {
		if !strings.Contains(w.Header().Get(name), part) {
			t.Errorf("%s is %q, want %s", name, w.Header().Get(name), part)
		}
	}
	// A browser that another site drives comes with the operator's Basic credentials by itself.
	for _, method := range methods {
		before := visits.Load()
		w := d.ask(t, method, "/monitoring/api/queues/orders:pause", append(admin, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")...)
		reads := slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method)
		if passed := visits.Load() > before; passed != reads {
			t.Errorf("%s from another site passed: %v (%d)", method, passed, w.Code)
		}
	}
	// The API has its tokens in headers that no other site can set, and names no other site that may read it.
	for _, method := range methods {
		for _, target := range []string{"/monitoring/", orders + "1", "/health/live", "/openapi.yaml", "/metrics"} {
			w := d.ask(t, method, target, append(admin, "Origin", "https://evil.example", "Access-Control-Request-Method", "DELETE")...)
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") || name == "Strict-Transport-Security" {
					t.Errorf("%s %s: %s %v", method, target, name, w.Header()[name])
				}
			}
		}
	}
}

// What a route does not name it does not do, and no header makes one method another.
func TestMethodsAreTakenAtTheirWord(t *testing.T) {
	t.Parallel()
	d, _ := paged(t)
	acme := []string{"Authorization", "Bearer " + adapterToken, "X-Merchant", "acme", "X-Channel", "web"}
	d.put(t, 201, "1", `{"a":1}`)
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		if w := d.ask(t, http.MethodGet, orders+"1?_method=DELETE", append(acme, name, "DELETE")...); w.Code != 200 {
			t.Errorf("GET with %s: %d", name, w.Code)
		}
	}
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "CONNECT", "TRACE", "PROPFIND", "get"} {
		w := d.ask(t, method, orders+"1", acme...)
		if w.Code != 405 || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	d.must(t, 200, http.MethodGet, orders+"1", "")
}

// Whoever has no token learns neither versions nor what Tidings is made of, and no inner text of any error.
func TestStrangersLearnNothingOfTheInside(t *testing.T) {
	t.Parallel()
	d, _ := paged(t)
	inside := regexp.MustCompile(`(?i)` + regexp.QuoteMeta(runtime.Version()) + `|go1\.\d|\bgin\b|asynq|redis|goroutine|panic|\.go:\d|/root/|/home/|127\.0\.0\.1:\d`)
	for _, known := range d.handler.(*gin.Engine).Routes() {
		method, path := fill(known.Method+" "+known.Path, map[string]string{"merchant": "acme", "channel": "web", "orderId": "1", "id": "1",
			"eventId": "1", "deliveryId": "1", "adapterId": "1"})
		for _, target := range []string{path, path + "/x", path + "?x=%zz"} {
			w := d.ask(t, method, target, "X-Merchant", "acme")
			for _, name := range []string{"Server", "X-Powered-By", "Via"} {
				if w.Header().Get(name) != "" {
					t.Errorf("%s %s: %s %s", method, target, name, w.Header().Get(name))
				}
			}
			if body := w.Body.String(); path != "/openapi.yaml" && inside.MatchString(body) { // the document is public
				t.Errorf("%s %s: %s", method, target, body)
			}
		}
	}
}

// What puts promises at risk is told to those who can mend it. The in-memory Redis always gives cause to warn.
func TestWarningsAreForAdmins(t *testing.T) {
	t.Parallel()
	d := open(t, storetest.Mini(t), func(cfg *api.Config) { cfg.Limits = api.Limits{WrongTokens: 1, WrongTokenEvery: time.Hour} })
	warned := func(headers ...string) bool {
		w := d.ask(t, http.MethodGet, "/health/ready", headers...)
		if w.Code != 200 {
			t.Errorf("%v: %d", headers, w.Code)
		}
		return strings.Contains(w.Body.String(), "warnings")
	}
	if !warned("Authorization", "Bearer "+adminToken) {
		t.Error("the admin is not warned")
	}
	if warned() || warned("Authorization", "Bearer "+adapterToken) || warned("Authorization", "Bearer wrong") {
		t.Error("others are warned")
	}
	d = open(t, storetest.Mini(t), func(cfg *api.Config) { cfg.Limits = api.Limits{WrongTokens: 1, WrongTokenEvery: time.Hour} })
	if warned("Authorization", "Bearer wrong") || warned("Authorization", "Bearer "+adminToken) {
		t.Error("a token can be guessed here, past the limit")
	}
}

// A panic is answered as any other fault of ours, without a word of it.
func TestPanicsTellNothing(t *testing.T) {
	t.Parallel()
	d := open(t, storetest.Mini(t), func(cfg *api.Config) {
		cfg.Monitoring = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("inner s3cret") })
	})
	w := d.ask(t, http.MethodGet, "/monitoring/", "Authorization", "Bearer "+adminToken)
	if body := w.Body.String(); w.Code != 500 || strings.Contains(body, "s3cret") || !strings.Contains(body, `"code":"internal"`) {
		t.Errorf("%d %s", w.Code, body)
	}
}
