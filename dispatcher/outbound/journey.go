package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// journey notes how far a request came. The transport dials in goroutines that may outlive the request, hence the lock.
type journey struct {
	mu        sync.Mutex
	remote    string
	tlsFailed bool
}

// stage is a journey at one moment.
type stage struct {
	remote    string // address of the connection the request was given, "" if none: then nothing of it was written
	tlsFailed bool
	expired   bool // the deadline has passed
}

func (j *journey) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.remote = info.Conn.RemoteAddr().String()
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.tlsFailed = err != nil
		},
	})
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
