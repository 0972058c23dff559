package outbound_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// Over HTTP/2 net/http takes another turn when the receiver gives a request back, a thousand times in five seconds. Every way to give it
// back, for requests with a body and without.
func TestHTTP2SendsARequestOnce(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		why      string
		giveBack func(p *peer, stream uint32)
		want     dispatcher.Reason
		empty    dispatcher.Reason // of a request without a body
	}{
		{"refused", func(p *peer, stream uint32) { _ = p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }, reset, reset},
		{"a protocol error, which may come after the receiver acted on it", func(p *peer, stream uint32) {
			_ = p.WriteRSTStream(stream, http2.ErrCodeProtocol)
		}, protocol, reset},
		{"goodbye, the request not taken", func(p *peer, stream uint32) { _ = p.WriteGoAway(stream-1, http2.ErrCodeNo, nil) }, reset, reset},
		{"goodbye to everything", func(p *peer, _ uint32) { _ = p.WriteGoAway(0, http2.ErrCodeNo, nil) }, reset, reset},
	} {
		for _, row := range []struct {
			why string
			r   outbound.Request
		}{
			{"POST", outbound.Request{Body: []byte("{}")}},
			{"POST without a body", outbound.Request{}},
			{"PUT without a body", outbound.Request{Method: http.MethodPut}},
			{"POST with an idempotency key, without a body", outbound.Request{Header: http.Header{"Idempotency-Key": {"1"}}}},
		} {
			for before, on := range []string{"a new connection", "a kept connection"} {
				t.Run(way.why+", "+row.why+" on "+on, func(t *testing.T) {
					t.Parallel()
					r := row.r
					url, roots, requests := speaking(t, newFlood(), func(p *peer) {
						for {
							stream := p.request()
							if stream == 0 {
								return
							}
							if int(p.requests.Load()) <= before {
								p.headers(stream, true, ":status", "204")
							} else {
								way.giveBack(p, stream)
							}
						}
					})
					c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: roots})
					r.URL, r.Timeout = url, 5*time.Second
					for range before {
						if got := c.Do(context.Background(), r); got.StatusCode != http.StatusNoContent {
							t.Fatalf("%+v", got)
						}
					}
					got := c.Do(context.Background(), r)
					want := way.want
					if r.Body == nil {
						want = way.empty
					}
					if got.Reason != want || got.Sent != unknown {
						t.Errorf("%+v, want reason %s", got, want)
					}
					if n := int(requests.Load()) - before; n != 1 {
						t.Errorf("the request went out %d times", n)
					}
				})
			}
		}
	}
}

// A connection on which the receiver said goodbye while it was idle is not used: that is no second sending.
func TestGoodbyeBetweenRequestsIsNoFailure(t *testing.T) {
	t.Parallel()
	said := make(chan struct{}, 8)
	url, roots, requests := speaking(t, newFlood(), func(p *peer) {
		stream := p.request()
		p.headers(stream, true, ":status", "204")
		_ = p.WriteGoAway(stream, http2.ErrCodeNo, nil)
		_ = p.WritePing(false, [8]byte{})
		for { // the answer to the ping shows that the goodbye has been read
			frame, err := p.ReadFrame()
			if err != nil {
				return
			}
			if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
				said <- struct{}{}
			}
		}
	})
	c := client(t, outbound.Config{AllowTargets: loopback, RootCAs: roots})
	for n := range 3 {
		if got := c.Do(context.Background(), outbound.Request{URL: url, Body: []byte("{}")}); got.StatusCode != http.StatusNoContent {
			t.Fatalf("request %d: %+v", n, got)
		}
		<-said
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests arrived for three", n)
	}
}
