package outbound_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

func fine(http.ResponseWriter, *http.Request) {}

func TestEveryFailureHasItsReason(t *testing.T) {
	t.Parallel()
	const no, yes, unknown = dispatcher.SentNo, dispatcher.SentYes, dispatcher.SentUnknown
	h2 := func(s *httptest.Server) { s.EnableHTTP2 = true }
	abortStream := secure(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, h2)
	oldTLS := secure(t, fine, func(s *httptest.Server) { s.TLS.MaxVersion = tls.VersionTLS11 })
	wantsCert := secure(t, fine, func(s *httptest.Server) { s.TLS.ClientAuth = tls.RequireAnyClientCert })
	hangs2 := secure(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, h2)
	_, port, _ := net.SplitHostPort(secure(t, fine, nil).Listener.Addr().String())
	pool := trusted(abortStream, oldTLS, wantsCert, hangs2)

	for _, row := range []struct {
		name, url string
		want      dispatcher.Reason
		sent      dispatcher.Sent
		status    int
	}{
		{"port refused", "http://127.0.0.1:1", dispatcher.ReasonConnect, no, 0},
		{"authority unknown", secure(t, fine, func(s *httptest.Server) { s.TLS = foreign(t) }).URL, dispatcher.ReasonTLS, no, 0},
		{"name not in the certificate", "https://localhost:" + port, dispatcher.ReasonTLS, no, 0},
		{"TLS 1.1 only", oldTLS.URL, dispatcher.ReasonTLS, no, 0},
		{"plain HTTP on a TLS port", "https" + strings.TrimPrefix(serve(t, fine).URL, "http"), dispatcher.ReasonTLS, no, 0},
		{"hangs up in the handshake", closing(t), dispatcher.ReasonTLS, no, 0},
		{"client certificate wanted, said after the handshake", wantsCert.URL, dispatcher.ReasonTLS, unknown, 0},
		{"hangs in the handshake", hanging(t, "https", ""), dispatcher.ReasonTimeout, no, 0},
		{"hangs before the answer", hanging(t, "http", ""), dispatcher.ReasonTimeout, unknown, 0},
		{"hangs before the answer, HTTP/2", hangs2.URL, dispatcher.ReasonTimeout, unknown, 0},
		{"hangs in the header", hanging(t, "http", "HTTP/1.1 200 OK\r\nA: b\r\n"), dispatcher.ReasonTimeout, unknown, 0},
		{"hangs in the body", hanging(t, "http", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), dispatcher.ReasonTimeout, yes, 200},
		{"reset before the answer", aborting(t), dispatcher.ReasonReset, unknown, 0},
		{"closed before the answer", broken(t, ""), dispatcher.ReasonReset, unknown, 0},
		{"closed in the header", broken(t, "HTTP/1.1 200 OK\r\nA: b\r\n"), dispatcher.ReasonReset, unknown, 0},
		{"stream reset, HTTP/2", abortStream.URL, dispatcher.ReasonReset, unknown, 0},
		{"body shorter than said", broken(t, "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nabc"), dispatcher.ReasonReset, yes, 201},
		{"chunks without an end", broken(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), dispatcher.ReasonReset, yes, 200},
		{"chunks that are none", broken(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), dispatcher.ReasonProtocol, yes, 200},
		{"garbage", broken(t, "SSH-2.0-OpenSSH_9.6\r\n\r\n"), dispatcher.ReasonProtocol, unknown, 0},
		{"header beyond the limit", broken(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 70<<10)+"\r\n\r\n"), dispatcher.ReasonProtocol, unknown, 0},
		{"bad scheme", "ftp://127.0.0.1/", dispatcher.ReasonBadURL, no, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: pool})
			got := c.Do(context.Background(), outbound.Request{URL: row.url, Body: []byte("{}"), Timeout: 500 * time.Millisecond})
			if got.Reason != row.want || got.Sent != row.sent || got.StatusCode != row.status {
				t.Errorf("%+v, want reason %s, sent %s, status %d", got, row.want, row.sent, row.status)
			}
			if (got.RemoteAddress == "") != (row.sent == no) {
				t.Errorf("remote address %q with sent %s", got.RemoteAddress, got.Sent)
			}
		})
	}
}

func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	hangs := raw(t, func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	silent := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", hangs)
	}}
	for why, row := range map[string]struct {
		by   *net.Resolver
		want dispatcher.Reason
	}{
		"no such name":             {resolver(t, netip.Addr{}), dispatcher.ReasonDNS},
		"the DNS server is silent": {silent, dispatcher.ReasonTimeout}, // our deadline, not the resolver's
	} {
		c := client(t, outbound.Config{AllowPlainHTTP: true, Resolver: row.by})
		got := c.Do(context.Background(), outbound.Request{URL: "http://target.test./", Timeout: 300 * time.Millisecond})
		if got.Reason != row.want || got.Sent != dispatcher.SentNo {
			t.Errorf("%s: %+v, want %s", why, got, row.want)
		}
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	for why, r := range map[string]outbound.Request{
		"method": {Method: "PO ST"},
		"value":  {Header: http.Header{"X-A": {"1\r\nX-Evil: 2"}}},
		"name":   {Header: http.Header{"X A": {"1"}}},
	} {
		r.URL = server.URL
		if got := local(t).Do(context.Background(), r); got.Reason != dispatcher.ReasonBadURL || got.Sent != dispatcher.SentNo {
			t.Errorf("%s: %+v", why, got)
		}
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	got := local(t).Do(ctx, outbound.Request{URL: server.URL})
	if got.Reason != dispatcher.ReasonInterrupted || got.Sent != dispatcher.SentUnknown {
		t.Errorf("under way: %+v", got)
	}
	got = local(t).Do(ctx, outbound.Request{URL: server.URL})
	if got.Reason != dispatcher.ReasonInterrupted || got.Sent != dispatcher.SentNo {
		t.Errorf("before it began: %+v", got)
	}
}
