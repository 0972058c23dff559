package outbound

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 30 * time.Second
)

// Request is one request to send. Its Header and Body may be shared among requests, and must not be changed any more: a
// request that was given up may still be read from for a moment.
type Request struct {
	Method  string // "" means POST
	URL     string
	Header  http.Header
	Body    []byte
	Timeout time.Duration // one deadline for connect, send and the whole answer; 0 means 10 s, never more than 30 s
}

// Answer is what became of a request.
type Answer struct {
	StatusCode    int           // 0: no answer was seen
	Header        http.Header   // of the answer: at most 64 fields, each value at most 1 KiB, credentials masked
	Body          []byte        // at most 16 KiB, after decompression
	Truncated     bool          // the answer's body was longer than Body
	Duration      time.Duration // from the call of Do to its return
	RemoteAddress string        // ip:port of the connection used; "" when there was none
	Sent          dispatcher.Sent
	// Reason is "" when an answer, of any status, was read whole (or as far as the limits go). Otherwise it is one of
	// timeout, dns, connect, tls, reset, protocol, blocked_address, bad_url, or interrupted when the context was
	// cancelled. With a StatusCode beside it, the answer broke off after the status line.
	Reason dispatcher.Reason
}

// Do sends the request at most once and waits for the whole answer. It returns no error: what became of an attempt is a
// value.
//
// The deadline covers the answer's body too, so a 2xx whose body drips beyond it is a timeout, with StatusCode set and
// Sent yes. A body beyond the 64 KiB that are read is no failure, it is cut.
func (c *Client) Do(ctx context.Context, r Request) Answer {
	start := time.Now()
	answer := c.do(ctx, r, start.Add(timeoutOf(r)))
	answer.Duration = time.Since(start)
	return answer
}

func timeoutOf(r Request) time.Duration {
	if r.Timeout <= 0 {
		return defaultTimeout
	}
	return min(r.Timeout, maxTimeout)
}

func (c *Client) do(ctx context.Context, r Request, deadline time.Time) Answer {
	u, err := parseURL(r.URL)
	if err != nil {
		return Answer{Sent: dispatcher.SentNo, Reason: dispatcher.ReasonBadURL}
	}
	way := begin(ctx, deadline)
	defer way.end()
	// RoundTrip and not http.Client: redirects are answers here, and cookies are nobody's business.
	response, err := c.transport(u).RoundTrip(newRequest(way.traced(), r, u))
	stage := way.stage()
	if err != nil {
		return Answer{RemoteAddress: stage.remote, Sent: stage.sent(), Reason: classify(err, stage)}
	}
	defer response.Body.Close()
	answer := Answer{
		StatusCode:    response.StatusCode,
		RemoteAddress: stage.remote,
		Sent:          dispatcher.SentYes,
	}
	answer.Body, answer.Truncated, err = readBody(response)
	answer.Header = keepHeader(response.Header)
	if err != nil {
		answer.Reason = classify(err, way.stage())
	}
	return answer
}

// newRequest builds a request that net/http never sends twice. It would on a dead kept-alive connection, when the
// method or an Idempotency-Key header says replayable and the body is absent or can be had again (GetBody). So there is
// never a GetBody, and for a request without a body see lockEmpty, and journey.trace for HTTP/2: only a request of which
// nothing was written is moved to another connection.
func newRequest(ctx context.Context, r Request, u *url.URL) *http.Request {
	req := http.Request{
		Method: r.Method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.Header, Body: io.NopCloser(bytes.NewReader(r.Body)), ContentLength: int64(len(r.Body)),
	}
	if req.Method == "" {
		req.Method = http.MethodPost
	}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if len(r.Body) == 0 {
		lockEmpty(&req)
	}
	return req.WithContext(ctx)
}

// lockEmpty keeps a request without a body from looking replayable. A POST, PUT or PATCH gets NoBody, or it would go out
// chunked instead of with "Content-Length: 0", and looks replayable only by the headers below: net/http looks them up in
// their canonical spelling and writes them in the one it finds. Other methods keep an empty body, which is not NoBody.
func lockEmpty(req *http.Request) {
	switch req.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		req.Body = http.NoBody
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, found := req.Header[name]; found {
			req.Header = maps.Clone(req.Header)
			delete(req.Header, name)
			req.Header[strings.ToLower(name)] = values
		}
	}
}
