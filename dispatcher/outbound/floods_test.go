package outbound_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// Receivers that send without end, or at a drip. Each writes until its connection breaks.

// flood counts what a hostile receiver got rid of.
type flood struct {
	sent atomic.Int64
	over chan struct{} // closed when it cannot go on
}

func newFlood() *flood { return &flood{over: make(chan struct{})} }

// write writes until the client hangs up, or so much is out that only a bound on what is read can be missing.
func (f *flood) write(w io.Writer, chunk []byte) {
	defer close(f.over)
	for f.sent.Load() < 256*mib {
		n, err := w.Write(chunk)
		f.sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// ended waits until the client has hung up, and tells whether it did so in time.
func (f *flood) ended(t *testing.T) {
	t.Helper()
	select {
	case <-f.over:
	case <-time.After(20 * time.Second):
		t.Error("the receiver still floods the connection")
	}
	if n := f.sent.Load(); n > 32*mib { // the kernel's buffers take most of it
		t.Errorf("%d MiB were taken from the receiver", n/mib)
	}
}

// dripping writes first and then a byte at a time, faster than any timeout between two reads would notice.
func dripping(t testing.TB, first string) (url string) {
	t.Helper()
	return "http://" + raw(t, func(conn *net.TCPConn) {
		readRequest(conn)
		_, err := conn.Write([]byte(first))
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for err == nil {
			<-ticker.C
			_, err = conn.Write([]byte("x"))
		}
	})
}

// endless writes first and then chunk for as long as anybody reads.
func endless(t testing.TB, f *flood, first, chunk string) (url string) {
	t.Helper()
	return "http://" + raw(t, func(conn *net.TCPConn) {
		readRequest(conn)
		if _, err := conn.Write([]byte(first)); err == nil {
			f.write(conn, []byte(strings.Repeat(chunk, 64*kib/len(chunk))))
		}
	})
}

func TestADripEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	const timeout, grace = 300 * time.Millisecond, 2 * time.Second
	for _, row := range []struct {
		why, first string
		sent       dispatcher.Sent
		status     int
	}{
		{"the status line", "", dispatcher.SentUnknown, 0},
		{"a header's name", "HTTP/1.1 200 OK\r\n", dispatcher.SentUnknown, 0},
		{"a header's value", "HTTP/1.1 200 OK\r\nA: ", dispatcher.SentUnknown, 0},
		{"the header after a 1xx", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nA: ", dispatcher.SentUnknown, 0},
		{"a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", dispatcher.SentYes, 200},
		{"a body until the end of the connection", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", dispatcher.SentYes, 200},
		{"a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", dispatcher.SentYes, 200},
		{"the trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", dispatcher.SentYes, 200},
	} {
		t.Run(row.why, func(t *testing.T) {
			t.Parallel()
			got := local(t).Do(context.Background(), outbound.Request{URL: dripping(t, row.first), Body: []byte("{}"), Timeout: timeout})
			if got.Reason != dispatcher.ReasonTimeout || got.Sent != row.sent || got.StatusCode != row.status {
				t.Errorf("%+v", got)
			}
			if got.Duration < timeout || got.Duration > timeout+grace {
				t.Errorf("ended after %s, the deadline is %s", got.Duration, timeout)
			}
		})
	}
}

// Not parallel: the memory is measured. The deadline is far, so that it is the caps that end these.
func TestAFloodEndsAtTheCaps(t *testing.T) {
	const bound = 2 * mib // of allocations for the whole exchange, most of it 64 KiB of header as strings
	ok := "HTTP/1.1 200 OK\r\n"
	for _, row := range []struct {
		why, first, chunk string
		want              dispatcher.Reason
		status            int
	}{
		{"headers", ok, "A: b\r\n", dispatcher.ReasonProtocol, 0},
		{"headers of one name", ok, "Set-Cookie: a=b\r\n", dispatcher.ReasonProtocol, 0},
		{"one header", ok + "A: ", "x", dispatcher.ReasonProtocol, 0},
		{"one header's name", ok, "x", dispatcher.ReasonProtocol, 0},
		{"one header folded over lines", ok + "A: b\r\n", " b\r\n", dispatcher.ReasonProtocol, 0},
		{"the status line", "HTTP/1.1 200 ", "x", dispatcher.ReasonProtocol, 0},
		{"informational answers", "", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", dispatcher.ReasonProtocol, 0},
		{"100 Continue, which nobody waits for", "", "HTTP/1.1 100 Continue\r\n\r\n", dispatcher.ReasonProtocol, 0},
		{"body without a length", ok + "Connection: close\r\n\r\n", "x", "", 200},
		{"body of a petabyte", ok + "Content-Length: 1000000000000000\r\n\r\n", "x", "", 200},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "", 200},
		{"a chunk's extension", ok + "Transfer-Encoding: chunked\r\n\r\n1;a=", "x", dispatcher.ReasonProtocol, 200},
		{"the trailer", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", dispatcher.ReasonProtocol, 200},
		{"what follows 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "x", "", 101},
		{"what follows 204", "HTTP/1.1 204 No Content\r\n\r\n", "x", "", 204},
		{"a transfer coding nobody asked for", ok + "Transfer-Encoding: gzip\r\n\r\n", "x", dispatcher.ReasonProtocol, 0},
	} {
		t.Run(row.why, func(t *testing.T) {
			f := newFlood()
			url, c := endless(t, f, row.first, row.chunk), local(t)
			var got outbound.Answer
			cost := allocated(func() {
				got = c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}"), Timeout: 20 * time.Second})
			})
			if got.Reason != row.want || got.StatusCode != row.status || len(got.Body) > 16*kib {
				t.Errorf("%d bytes kept, %+v", len(got.Body), got)
			}
			if cost > bound {
				t.Errorf("%d KiB allocated, at most %d KiB are", cost/kib, bound/kib)
			}
			f.ended(t)
			t.Logf("%d KiB allocated", cost/kib)
		})
	}
}

// A receiver that takes the connection and reads nothing: the body is more than the kernel's buffers take.
func TestABodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	t.Cleanup(func() { close(closed) })
	url := "http://" + raw(t, func(*net.TCPConn) { <-closed })
	got := local(t).Do(context.Background(), outbound.Request{URL: url, Body: make([]byte, 16*mib), Timeout: 300 * time.Millisecond})
	if got.Reason != dispatcher.ReasonTimeout || got.Sent != dispatcher.SentUnknown || got.Duration > 3*time.Second {
		t.Errorf("%+v", got)
	}
}

// Nothing of such answers is left running, above all no handshake that nobody waits for any more.
func TestNothingIsLeftBehind(t *testing.T) {
	const rounds = 20
	c := local(t)
	urls := []string{
		dripping(t, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"),
		hanging(t, "http", ""), hanging(t, "https", ""), aborting(t), closing(t),
	}
	one := func() {
		for _, url := range urls {
			_ = c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}"), Timeout: 10 * time.Millisecond})
		}
	}
	one() // what is there once stays
	before := runtime.NumGoroutine()
	for range rounds {
		one()
	}
	deadline := time.After(5 * time.Second)
	for runtime.NumGoroutine() > before+20 { // the servers' ends, too, are goroutines, and end a moment later
		select {
		case <-deadline:
			t.Fatalf("%d goroutines after %d requests, %d before", runtime.NumGoroutine(), rounds*len(urls), before)
		case <-time.After(time.Millisecond):
		}
	}
}
