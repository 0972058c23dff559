package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

func with(certificate tls.Certificate, more func(*tls.Config)) func(*httptest.Server) {
	return func(s *httptest.Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		if more != nil {
			more(s.TLS)
		}
	}
}

func TestServersAreVerified(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	valid := ours.issue(t, "valid", nil)
	for _, row := range []struct {
		why    string
		server func(*httptest.Server)
		roots  *x509.CertPool
		want   dispatcher.Reason
	}{
		{"by an authority of the bundle", with(valid, nil), ours.pool(), ""},
		{"TLS 1.2 is enough", with(valid, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), ours.pool(), ""},
		{"TLS 1.1 is not", with(valid, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), ours.pool(), dispatcher.ReasonTLS},
		{"by nobody the system knows", with(valid, nil), nil, dispatcher.ReasonTLS},
		{"by another authority", with(theirs.issue(t, "x", nil), nil), ours.pool(), dispatcher.ReasonTLS},
		{"expired", with(ours.issue(t, "x", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil), ours.pool(), dispatcher.ReasonTLS},
		{"not yet valid", with(ours.issue(t, "x", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), nil), ours.pool(), dispatcher.ReasonTLS},
		{"for another name", with(ours.issue(t, "target.test", func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} }), nil), ours.pool(), dispatcher.ReasonTLS},
		{"for clients only", with(ours.issue(t, "x", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil), ours.pool(), dispatcher.ReasonTLS},
	} {
		server := secure(t, fine, row.server)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: row.roots, Resolver: resolver(t, good)})
		if got := c.Do(context.Background(), outbound.Request{URL: "https://target.test:" + port}); got.Reason != row.want {
			t.Errorf("%s: %+v, want reason %q", row.why, got, row.want)
		}
	}
}

// recording tells for each handshake which name was asked for and who the client said it was.
func recording(t testing.TB, ours authority, http2 bool, more func(*tls.Config)) (port string, seen func(url string, c *outbound.Client) (name, who string)) {
	t.Helper()
	type hello struct{ name, who string }
	hellos := make(chan hello, 1)
	server := secure(t, func(_ http.ResponseWriter, r *http.Request) {
		who := ""
		if certificates := r.TLS.PeerCertificates; len(certificates) > 0 {
			who = certificates[0].Subject.CommonName
		}
		hellos <- hello{r.TLS.ServerName, who}
	}, func(s *httptest.Server) {
		s.EnableHTTP2 = http2
		with(ours.issue(t, "server", nil), func(c *tls.Config) {
			c.ClientAuth = tls.RequestClientCert
			if more != nil {
				more(c)
			}
		})(s)
	})
	_, port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return port, func(url string, c *outbound.Client) (string, string) {
		if got := c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}")}); got.StatusCode != http.StatusOK {
			t.Fatalf("%s: %+v", url, got)
		}
		h := <-hellos
		return h.name, h.who
	}
}

// The address is pinned, the name is the URL's: it is what the server is asked for and what its certificate must say.
func TestServerNameIsTheURLs(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	port, seen := recording(t, ours, false, nil)
	for _, row := range []struct{ host, want, why string }{
		{"target.test", "target.test", "and not 127.0.0.1, which it resolved to"},
		{"target.test.", "target.test", "without its root (RFC 6066)"},
		{"B\u00dcCHER.test", "xn--bcher-kva.test", "as DNS has it"},
		{"127.0.0.1", "", "an address is no server name (RFC 6066)"},
	} {
		c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: ours.pool(), Resolver: resolver(t, good)})
		if name, _ := seen("https://"+row.host+":"+port+"/", c); name != row.want {
			t.Errorf("%s: server name %q, want %q (%s)", row.host, name, row.want, row.why)
		}
	}
}

// One server under many names, so that nothing but the name tells the target from the others. Every connection is kept.
func TestClientCertificateIsForItsTargetAlone(t *testing.T) {
	t.Parallel()
	ours, strangers := newAuthority(t, "ours"), newAuthority(t, "strangers")
	for _, http2 := range []bool{false, true} {
		port, seen := recording(t, ours, http2, func(c *tls.Config) { c.ClientCAs = strangers.pool() }) // its list does not name ours
		a, err := outbound.ParseTarget("https://A.test:" + port)
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, outbound.Config{
			AllowTargets: loopback, RootCAs: ours.pool(), Resolver: resolver(t, good),
			ClientCertificates: map[outbound.Target]tls.Certificate{
				a:                                       ours.issue(t, "for a", nil),
				"https://c.test:1":                      ours.issue(t, "for another port of c", nil),
				"https://d.test:443":                    ours.issue(t, "for the default port of d", nil),
				"https://127.0.0.2:1":                   ours.issue(t, "for another address", nil),
				outbound.Target("https://test:" + port): ours.issue(t, "for the name above", nil),
			},
		})
		for range 3 { // the second and third time on kept connections
			for host, want := range map[string]string{
				"a.test": "for a", "A.TEST": "for a", "a.test.": "for a",
				"b.test": "", "c.test": "", "d.test": "", "aa.test": "", "127.0.0.1": "",
			} {
				if _, who := seen("https://"+host+":"+port+"/", c); who != want {
					t.Errorf("HTTP/2 %v, %s: the client says it is %q, want %q", http2, host, who, want)
				}
			}
		}
	}
}

func TestClientCertificateOpensTheDoor(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	port, seen := recording(t, ours, true, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ours.pool() })
	target, _ := outbound.ParseTarget("https://a.test:" + port)
	cfg := outbound.Config{AllowTargets: loopback, RootCAs: ours.pool(), Resolver: resolver(t, good)}
	got := client(t, cfg).Do(context.Background(), outbound.Request{URL: string(target)})
	if got.Reason != dispatcher.ReasonTLS && got.Reason != dispatcher.ReasonReset { // HTTP/2 may see the end before the alert
		t.Errorf("without a certificate: %+v", got)
	}
	cfg.ClientCertificates = map[outbound.Target]tls.Certificate{target: ours.issue(t, "erp", nil)}
	if _, who := seen(string(target), client(t, cfg)); who != "erp" {
		t.Errorf("known as %q", who)
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ origin, want, why string }{
		{"https://erp.example.com", "https://erp.example.com:443", "the default port"},
		{"https://erp.example.com:443/", "https://erp.example.com:443", "said"},
		{"HTTPS://ERP.example.COM.:0443", "https://erp.example.com:443", "case, root and zeros"},
		{"https://b\u00fccher.example:8443", "https://xn--bcher-kva.example:8443", "as DNS has it"},
		{"https://[0:0::1]:8443", "https://[::1]:8443", "an address in one spelling"},
		{"https://[::ffff:10.0.0.1]", "https://10.0.0.1:443", "IPv4-mapped is dialled as IPv4"},
		{"http://erp.example.com", "", "no TLS, no certificate"},
		{"https://erp.example.com/orders", "", "a path"},
		{"https://erp.example.com?x", "", "a query"},
		{"https://erp.example.com?", "", "an empty query"},
		{"https://me@erp.example.com", "", "a user"},
		{"https://*.example.com", "", "many"},
		{"erp.example.com:443", "", "no scheme"},
		{"", "", "nothing"},
	} {
		got, err := outbound.ParseTarget(row.origin)
		if string(got) != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%q (%s): %q, %v; want %q", row.origin, row.why, got, err, row.want)
		}
	}
}

// Connections are kept for the next request, but no more than is allowed.
func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const atOnce, kept = 6, 2
	var together sync.WaitGroup
	together.Add(atOnce)
	var open, opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { together.Done(); together.Wait() }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
			opened.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	url := start(t, server, false).URL
	c := client(t, outbound.Config{AllowTargets: loopback, MaxIdlePerHost: kept})
	round := func() {
		var wg sync.WaitGroup
		for range atOnce {
			wg.Go(func() {
				if got := c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}")}); got.Reason != "" {
					t.Errorf("%+v", got)
				}
			})
		}
		wg.Wait()
	}
	round()
	for deadline := time.After(5 * time.Second); open.Load() != kept; {
		select {
		case <-deadline:
			t.Fatalf("%d connections are open, want %d", open.Load(), kept)
		case <-time.After(time.Millisecond):
		}
	}
	together.Add(atOnce)
	round()
	if n := opened.Load(); n != atOnce+atOnce-kept {
		t.Errorf("%d connections were opened, want %d: %d of the second round's are kept ones", n, atOnce+atOnce-kept, kept)
	}
}
