package outbound_test

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/tidings/tidings/dispatcher/outbound"
)

// loopback is what a test must allow to reach its own servers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// local is a client that may reach the test's own servers and nothing else that is special.
func local(t testing.TB) *outbound.Client {
	t.Helper()
	return client(t, outbound.Config{AllowTargets: loopback})
}

func client(t testing.TB, cfg outbound.Config) *outbound.Client {
	t.Helper()
	c := outbound.New(cfg)
	t.Cleanup(c.Close)
	return c
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return start(t, httptest.NewUnstartedServer(handler), false)
}

func start(t testing.TB, server *httptest.Server, withTLS bool) *httptest.Server {
	t.Helper()
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // failing handshakes are what some tests are about
	if withTLS {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// raw is a server below HTTP: talk gets each connection and the server closes it after.
func raw(t testing.TB, talk func(*net.TCPConn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn.(*net.TCPConn))
			}()
		}
	}()
	return listener.Addr().String()
}

// readRequest reads one request off a raw connection, so that the client has surely sent it.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 4096)
	_, _ = conn.Read(buffer)
}

// resolver answers every name with the address, or with NXDOMAIN if there is none: a DNS server in a few lines, so that
// the way of a name through the real resolver and dialer is under test.
func resolver(t testing.TB, addr netip.Addr) *net.Resolver {
	t.Helper()
	return resolving(t, func(uint16) []netip.Addr {
		if !addr.IsValid() {
			return nil
		}
		return []netip.Addr{addr}
	})
}

// The kinds of query that a resolver asks.
const kindA, kindAAAA = 1, 28

// resolving asks answer for the addresses at each query; nil is NXDOMAIN.
func resolving(t testing.TB, answer func(kind uint16) []netip.Addr) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(reply(buffer[:n], answer), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

// reply makes the answer to one DNS query (RFC 1035, section 4.1).
func reply(query []byte, answer func(kind uint16) []netip.Addr) []byte {
	const header = 12
	end := header
	for query[end] != 0 { // the labels of the name asked for
		end += int(query[end]) + 1
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	addresses := answer(kind)
	out := append([]byte(nil), query[:end+5]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // a response, one question, no records yet
	if addresses == nil {
		out[3] |= 3 // NXDOMAIN
	}
	for _, addr := range addresses {
		if a, aaaa := kind == kindA && addr.Is4(), kind == kindAAAA && addr.Is6(); !a && !aaaa {
			continue // the name exists, this address is of the other kind
		}
		out[7]++                                                // one record more
		out = append(out, 0xc0, header)                         // its name is the question's
		out = append(out, byte(kind>>8), byte(kind), 0, 1)      // its type, class IN
		out = append(out, 0, 0, 0, 0, 0, byte(addr.BitLen()/8)) // not to be kept, length
		out = append(out, addr.AsSlice()...)
	}
	return out
}
