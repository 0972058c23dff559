package outbound_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// special are addresses in every range that the contract says is refused.
var special = []struct{ addr, why string }{
	{"0.0.0.0", "unspecified: the kernel takes it for this machine"},
	{"0.1.2.3", "this network"},
	{"10.0.0.1", "private"},
	{"10.255.255.255", "private, its last"},
	{"100.64.0.1", "carrier-grade NAT"},
	{"100.100.100.200", "metadata of Alibaba"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.254", "loopback is a whole /8"},
	{"168.63.129.16", "metadata of Azure, in a public range: ours, the library does not know it"},
	{"169.254.0.1", "link-local"},
	{"169.254.169.254", "metadata of AWS, Google, Azure"},
	{"172.16.0.1", "private"},
	{"172.31.255.255", "private, its last"},
	{"192.0.0.192", "metadata of Oracle, protocol assignments"},
	{"192.0.2.1", "documentation"},
	{"192.88.99.1", "relay of 6to4"},
	{"192.168.1.1", "private"},
	{"198.18.0.1", "benchmark"},
	{"198.19.255.255", "benchmark, its last"},
	{"198.51.100.1", "documentation"},
	{"203.0.113.1", "documentation"},
	{"224.0.0.1", "multicast"},
	{"239.255.255.255", "multicast, its last"},
	{"240.0.0.1", "reserved"},
	{"255.255.255.255", "broadcast"},
	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::7f00:1", "IPv4-compatible 127.0.0.1"},
	{"::ffff:127.0.0.1", "IPv4-mapped"},
	{"::ffff:169.254.169.254", "IPv4-mapped metadata"},
	{"64:ff9b::7f00:1", "NAT64 of 127.0.0.1"},
	{"64:ff9b::a9fe:a9fe", "NAT64 of the metadata address"},
	{"64:ff9b:1::1", "NAT64 for local use"},
	{"100::1", "discard"},
	{"2001::1", "Teredo"},
	{"2001:2::1", "benchmark"},
	{"2001:db8::1", "documentation"},
	{"2002:7f00:1::", "6to4 of 127.0.0.1"},
	{"3fff::1", "documentation"},
	{"fc00::1", "unique local"},
	{"fd00:ec2::254", "metadata of AWS"},
	{"fe80::1", "link-local"},
	{"fec0::1", "site-local, deprecated"},
	{"ff02::1", "multicast"},
}

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

// Spellings of 127.0.0.1 that are no IP address to Go but to many a C library.
func TestNumbersAreNoNames(t *testing.T) {
	t.Parallel()
	c := client(t, outbound.Config{AllowPlainHTTP: true})
	for _, host := range []string{"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1."} {
		got := c.Do(context.Background(), outbound.Request{URL: "http://" + host + "/"})
		if got.Reason != dispatcher.ReasonBadURL {
			t.Errorf("%s: %+v", host, got)
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

// TestMain sets a proxy where nothing listens, before any test: net/http reads the environment once per process.
func TestMain(m *testing.M) {
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
