package outbound_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// Here 127.0.0.1 and ::1 are the internet, and 127.0.0.2 is the inside that must not be reached.
var (
	good   = netip.MustParseAddr("127.0.0.1")
	good6  = netip.MustParseAddr("::1")
	bad    = netip.MustParseAddr("127.0.0.2")
	bad6   = netip.MustParseAddr("::ffff:127.0.0.2")
	onlyIt = []netip.Prefix{netip.PrefixFrom(good, 32), netip.PrefixFrom(good6, 128)}
)

// inside listens on both addresses at one port, and fails the test when anybody connects to the bad one.
func inside(t *testing.T) (port string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Connection", "close") // so that every request resolves anew
	})
	_, port, _ = net.SplitHostPort(server.Listener.Addr().String())
	trap, err := net.Listen("tcp", net.JoinHostPort(bad.String(), port))
	if err != nil {
		t.Skip("the port is taken on the second address: ", err)
	}
	trapped := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	trapped.Listener.Close()
	trapped.Listener = trap
	trapped.Config.ConnState = func(net.Conn, http.ConnState) { t.Error("the bad address was dialled") }
	start(t, trapped, false)
	return port, requests
}

func TestNamesWithABadAddress(t *testing.T) {
	t.Parallel()
	port, _ := inside(t)
	for _, row := range []struct {
		why       string
		addresses []netip.Addr
		want      dispatcher.Reason
	}{
		{"the bad one first: passed over, the good one is called", []netip.Addr{bad, good}, ""},
		{"the good one first", []netip.Addr{good, bad}, ""},
		{"bad ones around it", []netip.Addr{bad, good, bad}, ""},
		{"the bad one as AAAA, dialled beside the other kind", []netip.Addr{bad6, good}, ""},
		{"only bad ones", []netip.Addr{bad, bad6}, dispatcher.ReasonBlockedAddress},
		{"the good one does not answer: no reason to try the bad one", []netip.Addr{good6, bad}, dispatcher.ReasonConnect},
	} {
		c := client(t, outbound.Config{AllowTargets: onlyIt, Resolver: resolving(t, func(uint16) []netip.Addr { return row.addresses })})
		got := c.Do(context.Background(), outbound.Request{URL: "http://target.test.:" + port})
		if got.Reason != row.want {
			t.Errorf("%s: %+v, want reason %q", row.why, got, row.want)
		}
	}
}

// A name that is good when it is looked at and bad when it counts, in every order.
func TestNamesThatChange(t *testing.T) {
	t.Parallel()
	port, requests := inside(t)
	const blocked = dispatcher.ReasonBlockedAddress
	for _, row := range []struct {
		why     string
		answers []netip.Addr // to one lookup after the other
		want    []dispatcher.Reason
	}{
		{"bad from the first dial on", []netip.Addr{bad, bad}, []dispatcher.Reason{blocked, blocked}},
		{"good at the first attempt, bad at the second", []netip.Addr{good, bad}, []dispatcher.Reason{"", blocked}},
		{"bad, then good: nothing sticks", []netip.Addr{bad, good}, []dispatcher.Reason{blocked, ""}},
		{"to and fro", []netip.Addr{good, bad, good, bad}, []dispatcher.Reason{"", blocked, "", blocked}},
	} {
		var lookups atomic.Int32
		c := client(t, outbound.Config{AllowTargets: onlyIt, AllowPlainHTTP: true, Resolver: resolving(t, func(kind uint16) []netip.Addr {
			n := lookups.Load()
			if kind == kindA {
				n = lookups.Add(1)
			}
			return row.answers[max(0, n-1):max(1, n)]
		})})
		url := "http://target.test.:" + port
		if err := c.CheckURL(url); err != nil {
			t.Fatalf("%s: %v", row.why, err)
		}
		var got []dispatcher.Reason
		before := requests.Load()
		for range row.want {
			got = append(got, c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}")}).Reason)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.why, got, row.want)
		}
		if n := int(lookups.Load()); n != len(row.want) { // guards the test: CheckURL looks nothing up, each attempt once
			t.Errorf("%s: %d lookups for %d attempts", row.why, n, len(row.want))
		}
		sent := 0
		for _, reason := range row.want {
			if reason == "" {
				sent++
			}
		}
		if n := int(requests.Load() - before); n != sent {
			t.Errorf("%s: %d requests arrived, want %d", row.why, n, sent)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	port, requests := inside(t)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.Header().Set("Refresh", "0; url="+r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusTemporaryRedirect) // which would repeat the POST and its body
	})
	c := client(t, outbound.Config{AllowTargets: onlyIt})
	for _, row := range []struct{ to, why string }{
		{"http://" + bad.String() + ":" + port + "/", "to the inside; the trap listens"},
		{"http://169.254.169.254/latest/meta-data/", "to the metadata"},
		{"http://" + good.String() + ":" + port + "/", "to an address that may be called: a redirect is an answer all the same"},
		{"//" + bad.String() + ":" + port + "/", "without a scheme"},
		{"file:///etc/passwd", "to another scheme"},
	} {
		got := c.Do(context.Background(), outbound.Request{URL: server.URL + "/?to=" + row.to, Body: []byte("{}")})
		if got.StatusCode != http.StatusTemporaryRedirect || got.Reason != "" {
			t.Errorf("%s: %+v", row.why, got)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
