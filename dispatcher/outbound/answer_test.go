package outbound_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidings/tidings/dispatcher/outbound"
)

const kib = 1 << 10

// packed is data by a writer of package compress.
func packed(t testing.TB, data []byte, by func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := by(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zlibbed(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func deflated(w io.Writer) io.WriteCloser {
	bare, _ := flate.NewWriter(w, flate.BestSpeed)
	return bare
}

func TestBodyWithinLimits(t *testing.T) {
	t.Parallel()
	short, long := []byte("short"), bytes.Repeat([]byte("0123456789abcdef"), 20*kib/16)
	for _, row := range []struct {
		why, coding string
		body, want  []byte
		truncated   bool
	}{
		{"empty", "", nil, nil, false},
		{"short", "", short, short, false},
		{"exactly what is kept", "", long[:16*kib], long[:16*kib], false},
		{"one byte more", "", long[:16*kib+1], long[:16*kib], true},
		{"as long as is read", "", bytes.Repeat([]byte("x"), 64*kib), bytes.Repeat([]byte("x"), 16*kib), true},
		{"longer than is read", "", bytes.Repeat([]byte("x"), 1<<20), bytes.Repeat([]byte("x"), 16*kib), true},
		{"gzip though not asked for", "gzip", packed(t, short, gzipped), short, false},
		{"gzip by its old name, in capitals", "X-GZIP", packed(t, short, gzipped), short, false},
		{"gzip, long inside", "gzip", packed(t, long, gzipped), long[:16*kib], true},
		{"deflate by the standard", "deflate", packed(t, short, zlibbed), short, false},
		{"deflate as some send it", "deflate", packed(t, short, deflated), short, false},
		{"gzip only by its header: kept as it came", "gzip", short, short, false},
		{"gzip header and nothing in it: kept as it came", "gzip", packed(t, short, gzipped)[:10], packed(t, short, gzipped)[:10], false},
		{"gzip with garbage after it: what could be decoded", "gzip", append(packed(t, short, gzipped), "garbage garbage"...), short, true},
		{"unknown coding: kept as it came", "br", short, short, false},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if row.coding != "" {
				w.Header().Set("Content-Encoding", row.coding)
			}
			_, _ = w.Write(row.body)
		})
		got := local(t).Do(context.Background(), outbound.Request{URL: server.URL})
		if got.Reason != "" || got.StatusCode != http.StatusOK {
			t.Fatalf("%s: %+v", row.why, got)
		}
		if !bytes.Equal(got.Body, row.want) || got.Truncated != row.truncated {
			t.Errorf("%s: %d bytes, truncated %v; want %d, %v", row.why, len(got.Body), got.Truncated, len(row.want), row.truncated)
		}
	}
}

func TestConnectionIsKeptOnlyIfTheBodyEnds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		why         string
		size        int
		connections int32
	}{
		{"no body", 0, 1},
		{"longer than is kept, but read to its end", 40 * kib, 1},
		{"longer than is read", 1 << 20, 3},
	} {
		var connections atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, row.size))
		}))
		server.Config.ConnState = countNew(&connections)
		url := start(t, server, false).URL
		c := local(t)
		for range 3 {
			if got := c.Do(context.Background(), outbound.Request{URL: url}); got.Reason != "" {
				t.Fatalf("%s: %+v", row.why, got)
			}
		}
		if n := connections.Load(); n != row.connections {
			t.Errorf("%s: %d connections, want %d", row.why, n, row.connections)
		}
	}
}

func countNew(connections *atomic.Int32) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
}

func TestHeaderIsCapped(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("A-Long", strings.Repeat("x", 2*kib))
		for i := range 50 {
			w.Header().Add("B-Twice", strconv.Itoa(i))
			w.Header().Set(fmt.Sprintf("C-%02d", i), "y")
		}
	})
	got := local(t).Do(context.Background(), outbound.Request{URL: server.URL}).Header
	if n := len(got.Get("A-Long")); n != kib {
		t.Errorf("value of %d bytes kept, want 1 KiB", n)
	}
	fields := 0
	for _, values := range got {
		fields += len(values)
	}
	if fields != 64 || len(got.Values("B-Twice")) != 50 {
		t.Errorf("%d fields kept, %d of them B-Twice; want the first 64 by name", fields, len(got.Values("B-Twice")))
	}
}

func TestHeaderShowsNoCredentials(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=s3cret")
		w.Header().Set("Location", "https://elsewhere.example/hook?"+r.URL.RawQuery)
		w.Header().Set("X-Kept", "a?b")
		w.WriteHeader(http.StatusFound)
	})
	got := local(t).Do(context.Background(), outbound.Request{URL: server.URL + "/?token=s3cret"}).Header
	if strings.Contains(fmt.Sprint(got), "s3cret") {
		t.Errorf("header %v", got)
	}
	for name, want := range map[string]string{"Location": "https://elsewhere.example/hook?******", "X-Kept": "a?b"} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
}

// Whatever a receiver answers, in whatever coding it says: it is kept within the limits.
func FuzzAnswer(f *testing.F) {
	for _, coding := range []string{"", "gzip", "deflate", "br", "gzip, gzip"} {
		f.Add([]byte("short"), coding, "X: y")
		f.Add(packed(f, bytes.Repeat([]byte("x"), 1<<20), gzipped), coding, "Set-Cookie: s3cret")
		f.Add(packed(f, []byte("short"), zlibbed), coding, "Location: /?s3cret")
		f.Add(packed(f, []byte("short"), deflated), coding, strings.Repeat("A: b\r\n", 100))
	}
	var answer atomic.Value
	address := raw(f, func(conn *net.TCPConn) {
		_, _ = conn.Read(make([]byte, 4*kib))
		_, _ = conn.Write(answer.Load().([]byte))
	})
	c := local(f)
	f.Fuzz(func(t *testing.T, body []byte, coding, header string) {
		answer.Store(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\nContent-Encoding: %s\r\n%s\r\n\r\n%s", len(body), coding, header, body))
		got := c.Do(context.Background(), outbound.Request{URL: "http://" + address})
		if len(got.Body) > 16*kib || len(got.Header) > 64 {
			t.Fatalf("%d bytes, %d headers kept", len(got.Body), len(got.Header))
		}
		for name, values := range got.Header {
			for _, value := range values {
				if len(value) > kib || name == "Set-Cookie" && value != "******" {
					t.Fatalf("%s: %q kept", name, value)
				}
			}
		}
		if got.Reason != "" && got.Sent == "no" {
			t.Fatalf("%q was answered, and is told as %+v", answer.Load(), got)
		}
	})
}
