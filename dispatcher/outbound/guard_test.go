package outbound_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

func TestSpecialAddressesAreRefusedWhenDialled(t *testing.T) {
	t.Parallel()
	for _, row := range special {
		t.Run(row.addr, func(t *testing.T) {
			t.Parallel()
			// As a name, which is how an attacker brings it past CheckURL.
			c := client(t, outbound.Config{AllowPlainHTTP: true, Resolver: resolver(t, netip.MustParseAddr(row.addr))})
			for _, scheme := range []string{"http", "https"} {
				got := c.Do(context.Background(), outbound.Request{URL: scheme + "://target.test./"})
				if got.Reason != dispatcher.ReasonBlockedAddress || got.Sent != dispatcher.SentNo || got.RemoteAddress != "" {
					t.Errorf("%s (%s): %+v", scheme, row.why, got)
				}
			}
		})
	}
}

func TestSpecialAddressesAreRefusedWhenRegistered(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{AllowPlainHTTP: true})
	for _, row := range special {
		url := "https://" + net.JoinHostPort(row.addr, "8443") + "/"
		if err := c.CheckURL(url); err == nil || !strings.Contains(err.Error(), "may not be called") {
			t.Errorf("%s (%s): %v", row.addr, row.why, err)
		}
	}
}

func TestPublicAddressesAreAccepted(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{})
	for _, addr := range []string{"1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "168.63.129.17", "[2606:4700::1111]", "[2a00:1450::1]"} {
		if err := c.CheckURL("https://" + addr + "/"); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestAllowedRangesAreReached(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	byName := "http://target.test.:" + port
	for _, row := range []struct {
		why, url string
		cfg      outbound.Config
		want     dispatcher.Reason
	}{
		{"literal, allowed", server.URL, outbound.Config{AllowTargets: loopback}, ""},
		{"name, allowed", byName, outbound.Config{AllowTargets: loopback}, ""},
		{"narrow range", server.URL, outbound.Config{AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, ""},
		{"another range", server.URL, outbound.Config{AllowTargets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, dispatcher.ReasonBlockedAddress},
		{"plain HTTP alone opens no special range", byName, outbound.Config{AllowPlainHTTP: true}, dispatcher.ReasonBlockedAddress},
		{"nothing allowed", byName, outbound.Config{}, dispatcher.ReasonBlockedAddress},
	} {
		row.cfg.Resolver = resolver(t, netip.MustParseAddr("127.0.0.1"))
		if got := client(t, row.cfg).Do(context.Background(), outbound.Request{URL: row.url}); got.Reason != row.want {
			t.Errorf("%s: %+v, want reason %q", row.why, got, row.want)
		}
	}
}

// Plain HTTP to the open internet is refused when dialled too: a resolved placeholder was never seen by CheckURL.
func TestPlainHTTPToPublicAddressIsRefusedWhenDialled(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{AllowTargets: loopback, Resolver: resolver(t, netip.MustParseAddr("1.1.1.1"))})
	if got := c.Do(context.Background(), outbound.Request{URL: "http://target.test./"}); got.Reason != dispatcher.ReasonBlockedAddress {
		t.Errorf("%+v", got)
	}
}

// TestMain sets a proxy where nothing listens, before any test: net/http reads the environment once per process. And
// net/http writes to the standard log what hostile receivers send, a line for each odd frame.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		os.Setenv(name, "http://127.0.0.1:1")
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	// By name, since net/http asks no proxy for loopback addresses anyway.
	c := client(t, outbound.Config{AllowTargets: loopback, Resolver: resolver(t, netip.MustParseAddr("127.0.0.1"))})
	got := c.Do(context.Background(), outbound.Request{URL: "http://target.test.:" + port})
	if got.StatusCode != http.StatusAccepted {
		t.Errorf("%+v", got)
	}
}
