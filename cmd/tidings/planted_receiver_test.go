package main

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// received is one request as it arrived.
type received struct {
	uri    string
	query  url.Values
	header http.Header
	body   []byte
}

// tattler is a receiver that tells back whatever it was told, in every spelling, and answers by the first segment of the
// path.
type tattler struct {
	*httptest.Server
	cookie string
	mu     sync.Mutex
	mended map[string]bool
	seen   map[string][]received
	done   chan struct{}
}

func newTattler(t *testing.T, cookie string) *tattler {
	t.Helper()
	r := &tattler{cookie: cookie, mended: map[string]bool{}, seen: map[string][]received{}, done: make(chan struct{})}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() { close(r.done); r.Close() })
	return r
}

func (r *tattler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	name, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	r.mu.Lock()
	r.seen[name] = append(r.seen[name], received{req.RequestURI, req.URL.Query(), req.Header.Clone(), body})
	mended := r.mended[name]
	r.mu.Unlock()
	status := map[string]int{"failing": 503, "refused": 400, "redirect": 302, "stopped": 410}[name]
	switch {
	case name == "slow" && !mended:
		<-r.done
		return
	case name == "reset":
		connection, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(connection, "HTTP/1.1 200 "+req.RequestURI+"\r\nno header: "+req.Header.Get("X-Key"))
		connection.Close()
		return
	case status == 0 || mended:
		status = 200
	}
	r.tell(w, req, status, body)
}

func (r *tattler) tell(w http.ResponseWriter, req *http.Request, status int, body []byte) {
	header := w.Header()
	header.Set("Set-Cookie", "session="+r.cookie)
	header.Set("X-Session", "") // told to the browser only
	header.Set("X-Echo", req.Header.Get("X-Key"))
	header.Set("X-Echo-Path", req.URL.EscapedPath())
	header.Set("Location", r.URL+"/login?back="+url.QueryEscape(r.URL+req.RequestURI)+"&"+req.URL.RawQuery)
	var loose strings.Builder
	for name, values := range req.Header {
		for _, v := range values {
			loose.WriteString(name + ": " + v + " " + html.EscapeString(v) + " " + url.QueryEscape(v) + " " + url.PathEscape(v) + " " +
				base64.StdEncoding.EncodeToString([]byte(v)) + " " + base64.RawURLEncoding.EncodeToString([]byte(v)) + "\n")
		}
	}
	if basic, password, ok := req.BasicAuth(); ok {
		loose.WriteString("user " + basic + " with " + password + "\n")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"headers": req.Header, "uri": req.RequestURI, "query": req.URL.Query(), "path": req.URL.Path,
		"twice": url.QueryEscape(url.QueryEscape(req.RequestURI)), "body": string(body),
	})
	_, _ = io.WriteString(w, loose.String())
}

func (r *tattler) mend(name string) { r.mu.Lock(); r.mended[name] = true; r.mu.Unlock() }

func (r *tattler) got(name string) []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.seen[name]...)
}

func encodeBasic(login *url.Userinfo) string {
	password, _ := login.Password()
	return base64.StdEncoding.EncodeToString([]byte(login.Username() + ":" + password))
}

func sealedBy(r received, public string) bool {
	return sign.VerifyStandardWebhooks(r.header, r.body, time.Now(), time.Minute, public) == nil
}
