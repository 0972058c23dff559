package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// errResend ends a request that HTTP/2 was about to write a second time.
var errResend = errors.New("the receiver gave the request back unanswered")

// journey notes how far a request came. The transport dials in goroutines that may outlive the request, hence the lock.
type journey struct {
	mu        sync.Mutex
	remote    string
	tlsFailed bool
	http2     bool // what remote speaks
	written   bool // the header went out over HTTP/2, or was about to
}

// stage is a journey at one moment.
type stage struct {
	remote    string // address of the connection the request was given, "" if none: then nothing of it was written
	tlsFailed bool
	expired   bool // the deadline has passed
	resend    bool // ended by errResend
}

// trace also keeps HTTP/2 from writing a request twice. When the receiver refuses a stream, says goodbye or calls the
// stream a protocol error, net/http takes another turn with every request that has no body to rewind, hundreds of times
// a second (the test counts them); only the first of these three means that the receiver surely did nothing with it. The
// context that trace returns ends before the second turn writes anything.
func (j *journey) trace(ctx context.Context) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			hand(info.Conn)
			j.mu.Lock()
			defer j.mu.Unlock()
			if j.written {
				end(errResend)
				return
			}
			j.remote, j.http2 = info.Conn.RemoteAddr().String(), speaksHTTP2(info.Conn)
		},
		WroteHeaders: func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.written = j.http2
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.tlsFailed = err != nil
		},
	})
}

func speaksHTTP2(conn net.Conn) bool {
	secured, ok := conn.(*tls.Conn)
	return ok && secured.ConnectionState().NegotiatedProtocol == "h2"
}

// stage also compares the clock with the deadline, because a socket's own timer, set to the same instant, may fire
// before the context's.
func (j *journey) stage(ctx context.Context) stage {
	j.mu.Lock()
	defer j.mu.Unlock()
	deadline, _ := ctx.Deadline()
	return stage{
		remote:    j.remote,
		tlsFailed: j.tlsFailed,
		resend:    errors.Is(context.Cause(ctx), errResend),
		expired:   errors.Is(ctx.Err(), context.DeadlineExceeded) || !time.Now().Before(deadline),
	}
}

// sent is for a request without an answer. To have had a connection counts as possibly written: the trace's WroteHeaders
// comes too late for headers longer than the write buffer, of which a part may be out before it, and "no" must be true.
func (s stage) sent() dispatcher.Sent {
	if s.remote == "" {
		return dispatcher.SentNo
	}
	return dispatcher.SentUnknown
}
