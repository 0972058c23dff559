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

// journey notes how far a request came, and is its context. The transport dials in goroutines that may outlive the
// request, hence the lock.
type journey struct {
	context.Context // of the request; ends at the deadline
	end             context.CancelFunc
	deadline        time.Time
	hooks           httptrace.ClientTrace

	mu        sync.Mutex
	remote    string
	tlsFailed bool
	http2     bool // what remote speaks
	written   bool // the header went out over HTTP/2, or was about to
	resend    bool // ended because it was about to be written once more
}

// begin begins a journey, which must be ended.
func begin(ctx context.Context, deadline time.Time) *journey {
	j := &journey{deadline: deadline}
	j.Context, j.end = context.WithDeadline(ctx, deadline)
	j.hooks = httptrace.ClientTrace{GotConn: j.gotConn, WroteHeaders: j.wroteHeaders, TLSHandshakeDone: j.tlsHandshakeDone}
	return j
}

// Value implements context.Context: it tells a dial of the deadline. The transport takes a request's end away for the
// dial, but not its values.
func (j *journey) Value(key any) any {
	if _, ours := key.(dialDeadline); ours {
		return j.deadline
	}
	return j.Context.Value(key)
}

// traced is the context by which the transport tells how far it has come.
func (j *journey) traced() context.Context { return httptrace.WithClientTrace(j, &j.hooks) }

// gotConn also keeps HTTP/2 from writing a request twice. When the receiver refuses a stream, says goodbye or calls the
// stream a protocol error, net/http takes another turn with every request that has no body to rewind, hundreds of times
// a second (the test counts them); only the first of these three means that the receiver surely did nothing with it. So
// the journey ends before the second turn writes anything.
func (j *journey) gotConn(info httptrace.GotConnInfo) {
	remote := hand(info.Conn)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.written {
		j.resend = true
		j.end()
		return
	}
	j.remote, j.http2 = remote, speaksHTTP2(info.Conn)
}

func (j *journey) wroteHeaders() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written = j.http2
}

func (j *journey) tlsHandshakeDone(_ tls.ConnectionState, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tlsFailed = err != nil
}

func speaksHTTP2(conn net.Conn) bool {
	secured, ok := conn.(*tls.Conn)
	return ok && secured.ConnectionState().NegotiatedProtocol == "h2"
}

// stage is a journey at one moment.
type stage struct {
	remote    string // address of the connection the request was given, "" if none: then nothing of it was written
	tlsFailed bool
	expired   bool // the deadline has passed
	resend    bool // see journey
}

// stage also compares the clock with the deadline, because a socket's own timer, set to the same instant, may fire
// before the context's.
func (j *journey) stage() stage {
	j.mu.Lock()
	defer j.mu.Unlock()
	deadline, _ := j.Deadline() // the caller's may be earlier than ours
	return stage{
		remote:    j.remote,
		tlsFailed: j.tlsFailed,
		resend:    j.resend,
		expired:   errors.Is(j.Err(), context.DeadlineExceeded) || !time.Now().Before(deadline),
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
