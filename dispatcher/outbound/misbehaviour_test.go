package outbound_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

const (
	reset, protocol, timeout = dispatcher.ReasonReset, dispatcher.ReasonProtocol, dispatcher.ReasonTimeout
	yes, unknown             = dispatcher.SentYes, dispatcher.SentUnknown
)

// misbehaviours are what a server may do with the first request. The body is longer than the window that it grants.
var misbehaviours = []struct {
	why    string
	talk   func(p *peer)
	want   dispatcher.Reason
	sent   dispatcher.Sent
	status int
}{
	{"says goodbye before the request", func(p *peer) { _ = p.WriteGoAway(0, http2.ErrCodeNo, nil); p.drain() }, reset, unknown, 0},
	{"says goodbye after it, for it", func(p *peer) { _ = p.WriteGoAway(p.request()-1, http2.ErrCodeNo, nil); p.drain() }, reset, unknown, 0},
	{"says goodbye in anger", func(p *peer) {
		p.request()
		_ = p.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("calm"))
		p.drain()
	}, protocol, unknown, 0},
	{"says goodbye and then nothing, the request counted as taken", func(p *peer) { _ = p.WriteGoAway(p.request(), http2.ErrCodeNo, nil); p.drain() }, timeout, unknown, 0},
	{"refuses the stream", func(p *peer) { _ = p.WriteRSTStream(p.request(), http2.ErrCodeRefusedStream); p.drain() }, reset, unknown, 0},
	{"calls the stream a protocol error", func(p *peer) { _ = p.WriteRSTStream(p.request(), http2.ErrCodeProtocol); p.drain() }, protocol, unknown, 0},
	{"resets in the body", func(p *peer) {
		stream := p.request()
		p.headers(stream, false, ":status", "200")
		_ = p.WriteRSTStream(stream, http2.ErrCodeInternal)
		p.drain()
	}, reset, yes, 200},
	{"never grants more window", func(p *peer) { p.request(); p.drain() }, timeout, unknown, 0},
	{"grants no window at all", func(p *peer) {
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		p.request()
		p.drain()
	}, timeout, unknown, 0},
	{"allows no streams any more", func(p *peer) {
		p.request()
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		p.drain()
	}, timeout, unknown, 0},
	{"reads nothing more", func(p *peer) {
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		_ = p.WriteWindowUpdate(0, 1<<30)
		p.request()
		<-time.After(2 * time.Second)
	}, timeout, unknown, 0},
	{"grants more window than there is", func(p *peer) {
		p.request()
		_ = p.WriteWindowUpdate(0, 1<<31-1)
		_ = p.WriteWindowUpdate(0, 1<<31-1)
		p.drain()
	}, protocol, unknown, 0},
	{"answers an informational header without end", func(p *peer) {
		stream := p.request()
		p.pour(func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(":status", "103", "link", "<a>"), EndHeaders: true})
		})
	}, protocol, unknown, 0},
	{"floods settings", func(p *peer) {
		p.request()
		p.pour(func(f *http2.Framer) { _ = f.WriteSettings() })
	}, protocol, unknown, 0},
	{"floods pings", func(p *peer) {
		p.request()
		p.pour(func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{}) })
	}, protocol, unknown, 0},
	{"floods window", func(p *peer) {
		p.request()
		p.pour(func(f *http2.Framer) { _ = f.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 0}) })
	}, protocol, unknown, 0},
	{"floods resets of a stream nobody opened", func(p *peer) {
		p.request()
		p.pour(func(f *http2.Framer) { _ = f.WriteRSTStream(99, http2.ErrCodeCancel) })
	}, protocol, unknown, 0},
	{"floods frames of a kind nobody knows", func(p *peer) {
		p.request()
		p.pour(func(f *http2.Framer) { _ = f.WriteRawFrame(0xee, 0, 0, make([]byte, 8*kib)) })
	}, protocol, unknown, 0},
	{"floods empty data", func(p *peer) {
		stream := p.request()
		p.headers(stream, false, ":status", "200")
		p.pour(func(f *http2.Framer) { _ = f.WriteData(stream, false, nil) })
	}, protocol, yes, 200},
	{"sends data past the window", func(p *peer) {
		stream := p.request()
		p.headers(stream, false, ":status", "200")
		p.pour(func(f *http2.Framer) { _ = f.WriteData(stream, false, make([]byte, 16*kib)) })
	}, "", yes, 200},
	{"sends a header list of 48 MB in 16 KB: a field in the table, 12,000 times", func(p *peer) {
		stream := p.request()
		block := append(fields(":status", "200", "a", strings.Repeat("x", 4000)), bytes.Repeat([]byte{0x80 | 62}, 12*kib)...)
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true, EndStream: true})
		p.drain()
	}, protocol, unknown, 0},
	{"continues the header without end", func(p *peer) {
		stream := p.request()
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(":status", "200"), EndHeaders: false})
		p.pour(func(f *http2.Framer) { _ = f.WriteContinuation(stream, false, fields("a", strings.Repeat("x", 4000))) })
	}, protocol, unknown, 0},
	{"continues the header with nothing, without end", func(p *peer) {
		stream := p.request()
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields(":status", "200"), EndHeaders: false})
		p.pour(func(f *http2.Framer) { _ = f.WriteContinuation(stream, false, nil) })
	}, protocol, unknown, 0},
	{"pushes, which was switched off", func(p *peer) {
		_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: p.request(), PromiseID: 2, BlockFragment: fields(":method", "GET"), EndHeaders: true})
		p.drain()
	}, protocol, unknown, 0},
	{"sends a frame longer than any", func(p *peer) {
		p.request()
		_, _ = p.conn.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
		p.drain()
	}, protocol, unknown, 0},
	{"answers in HTTP/1", func(p *peer) { p.request(); _, _ = io.WriteString(p.conn, "HTTP/1.1 200 OK\r\n\r\n"); p.drain() }, protocol, unknown, 0},
	{"leaves out the status", func(p *peer) { p.headers(p.request(), true, "a", "b"); p.drain() }, protocol, unknown, 0},
}

// Not parallel: the memory is measured. Floods of settings and pings are answered, which takes longer than the deadline
// on a slow machine; the connection breaks all the same.
func TestHTTP2Misbehaviour(t *testing.T) {
	const (
		deadline = 500 * time.Millisecond
		grace    = 2 * time.Second
		bound    = 16 * mib // of allocations for the whole exchange, of which 4 MiB may be copies of the body
	)
	body := make([]byte, 4*mib)
	for _, row := range misbehaviours {
		t.Run(row.why, func(t *testing.T) {
			f := newFlood()
			url, roots, requests := speaking(t, f, row.talk)
			c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: roots})
			var got outbound.Answer
			cost := allocated(func() {
				got = c.Do(context.Background(), outbound.Request{URL: url, Body: body, Timeout: deadline})
			})
			flooded := f.sent.Load() > 0
			if got.Reason != row.want && !(flooded && got.Reason == timeout) || got.Sent != row.sent || got.StatusCode != row.status {
				t.Errorf("%+v, want reason %q, sent %s, status %d", got, row.want, row.sent, row.status)
			}
			if got.Duration > deadline+grace {
				t.Errorf("ended after %s, the deadline is %s", got.Duration, deadline)
			}
			if cost > bound {
				t.Errorf("%d KiB allocated, at most %d KiB are", cost/kib, bound/kib)
			}
			if flooded {
				f.ended(t)
			}
			if n := requests.Load(); n > 1 {
				t.Errorf("%d requests arrived for one", n)
			}
			t.Logf("%s, %d KiB allocated, %d KiB sent", got.Duration, cost/kib, f.sent.Load()/kib)
		})
	}
}
