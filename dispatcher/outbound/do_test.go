package outbound_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

func TestTheRequestArrivesAsGiven(t *testing.T) {
	t.Parallel()
	type seen struct{ method, uri, host, body, key, encoding, length string }
	got := make(chan seen, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Get("X-API-Key"),
			r.Header.Get("Accept-Encoding"), r.Header.Get("Content-Length")}
	})
	byName := strings.Replace(server.URL, "127.0.0.1", "LocalHost", 1)
	for _, row := range []struct {
		why  string
		r    outbound.Request
		want seen
	}{
		{"POST is the default; the query stays byte for byte", outbound.Request{URL: server.URL + "/a%2Fb/c?token=a%20b;c&&x=+&y", Body: []byte(`{"a":1}`)},
			seen{"POST", "/a%2Fb/c?token=a%20b;c&&x=+&y", strings.TrimPrefix(server.URL, "http://"), `{"a":1}`, "k", "", "7"}},
		{"host as written", outbound.Request{Method: "PUT", URL: byName, Body: []byte("x")},
			seen{"PUT", "/", strings.TrimPrefix(byName, "http://"), "x", "k", "", "1"}},
		{"an empty query is a query", outbound.Request{Method: "PATCH", URL: server.URL + "/?", Body: []byte("x")},
			seen{"PATCH", "/?", strings.TrimPrefix(server.URL, "http://"), "x", "k", "", "1"}},
		{"an empty body has a length", outbound.Request{URL: server.URL},
			seen{"POST", "/", strings.TrimPrefix(server.URL, "http://"), "", "k", "", "0"}},
	} {
		row.r.Header = http.Header{"X-Api-Key": {"k"}}
		answer := local(t).Do(context.Background(), row.r)
		if answer.Reason != "" || answer.Sent != dispatcher.SentYes || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %+v", row.why, answer)
		}
		if now := <-got; now != row.want {
			t.Errorf("%s:\n got %+v\nwant %+v", row.why, now, row.want)
		}
		if answer.RemoteAddress != server.Listener.Addr().String() || answer.Duration <= 0 {
			t.Errorf("%s: remote address %q, duration %s", row.why, answer.RemoteAddress, answer.Duration)
		}
	}
}

func TestEveryStatusIsAnAnswer(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Location", "/elsewhere")
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
	})
	c := local(t)
	statuses := []int{204, 301, 302, 307, 308, 404, 410, 503} // the redirects must not be followed
	for _, status := range statuses {
		got := c.Do(context.Background(), outbound.Request{URL: server.URL + "/" + strconv.Itoa(status), Body: []byte("{}")})
		if got.Reason != "" || got.Sent != dispatcher.SentYes || got.StatusCode != status {
			t.Errorf("%d: %+v", status, got)
		}
	}
	if got := int(requests.Load()); got != len(statuses) {
		t.Errorf("%d requests arrived, want %d", got, len(statuses))
	}
}

// A receiver that talks another protocol after 101 must not hold us until the deadline.
func TestSwitchingProtocolsEndsTheAnswer(t *testing.T) {
	t.Parallel()
	url := hanging(t, "http", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
	got := local(t).Do(context.Background(), outbound.Request{URL: url, Timeout: 20 * time.Second})
	if got.StatusCode != http.StatusSwitchingProtocols || got.Reason != "" {
		t.Errorf("%+v", got)
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	t.Parallel()
	proto := make(chan string, 1)
	server := secure(t, func(_ http.ResponseWriter, r *http.Request) { proto <- r.Proto }, func(s *httptest.Server) { s.EnableHTTP2 = true })
	c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: trusted(server)})
	if got := c.Do(context.Background(), outbound.Request{URL: server.URL, Body: []byte("{}")}); got.StatusCode != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	if got := <-proto; got != "HTTP/2.0" {
		t.Errorf("spoke %s", got)
	}
}

// net/http sends a request again when a kept-alive connection dies under it and the request looks replayable. Every row
// looks replayable to it in some way.
func TestOneDoIsAtMostOneRequest(t *testing.T) {
	t.Parallel()
	key := http.Header{"Idempotency-Key": {"1"}, "X-Idempotency-Key": {"1"}}
	for _, row := range []struct {
		why string
		r   outbound.Request
	}{
		{"idempotency key", outbound.Request{Header: key, Body: []byte("{}")}},
		{"idempotency key and no body", outbound.Request{Header: key}},
		{"PUT without a body", outbound.Request{Method: http.MethodPut, Header: key}},
		{"PUT", outbound.Request{Method: http.MethodPut, Header: key, Body: []byte("{}")}},
		{"GET, safe by its method", outbound.Request{Method: http.MethodGet}},
	} {
		var requests, connections atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			if r.Header.Get("Idempotency-Key") != row.r.Header.Get("Idempotency-Key") {
				t.Errorf("%s: the key did not arrive", row.why)
			}
			if requests.Add(1) == 2 {
				panic(http.ErrAbortHandler) // hangs up on a request it has read
			}
		}))
		server.Config.ConnState = countNew(&connections)
		row.r.URL = start(t, server, false).URL
		c := local(t)
		first := c.Do(context.Background(), row.r)
		second := c.Do(context.Background(), row.r)
		if first.StatusCode != http.StatusOK || second.Reason != dispatcher.ReasonReset || second.Sent != dispatcher.SentUnknown {
			t.Errorf("%s: first %+v, second %+v", row.why, first, second)
		}
		if n := connections.Load(); n != 1 {
			t.Fatalf("%s: %d connections, so the second request was not on a kept one", row.why, n)
		}
		// A third that arrives proves that a silent second copy of the second would have been counted.
		third := c.Do(context.Background(), row.r)
		if n := requests.Load(); n != 3 || third.StatusCode != http.StatusOK {
			t.Errorf("%s: %d requests arrived for three, the last %+v", row.why, n, third)
		}
	}
}

// Requests that are under way at the same time may share a header: nothing that is done to keep one from being sent twice
// may show in it.
func TestHeadersAreShared(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	c, header := local(t), http.Header{"Idempotency-Key": {"1"}, "X-A": {"1"}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { // under -race
			if got := c.Do(context.Background(), outbound.Request{URL: server.URL, Header: header}); got.StatusCode != http.StatusOK {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
	if len(header) != 2 || header.Get("Idempotency-Key") != "1" || header.Get("X-A") != "1" {
		t.Errorf("the header is now %v", header)
	}
}

func TestTimeoutOf(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, -1: 10 * time.Second, time.Second: time.Second, time.Hour: 30 * time.Second,
	} {
		if got := outbound.TimeoutOf(outbound.Request{Timeout: given}); got != want {
			t.Errorf("%s: %s, want %s", given, got, want)
		}
	}
}
