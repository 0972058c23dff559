package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// An answer within the limits costs a connection less than 256 KiB to read, with HTTP/2's window and the handshake. So a
// receiver gets twice that for each request, and what it does not use stays its own up to creditMost, which is room
// for every request that may share the connection.
const (
	creditPerRequest = 512 << 10
	creditMost       = 64 << 20
)

var errTooMuch = errors.New("the receiver sent more than any answer needs")

// boundConn bounds what a receiver can make us do outside of any answer.
//
// In bytes: the limits of HTTP/1 hold for one answer, but HTTP/2 has none for what belongs to no answer. Settings, pings
// and the rest of streams long given up can come without end, after every deadline, for as long as the connection is
// kept. So each request brings credit, and a connection that has used it up is broken.
//
// In time: the transport lets a dial and a handshake outlive the request that asked for them, in the hope of another
// request. A receiver that accepts and says nothing would collect connections that way. So a connection that was not
// handed to any request by the deadline of the one that asked for it ends there.
type boundConn struct {
	net.Conn
	remote string // ip:port
	credit atomic.Int64
	handed atomic.Bool
}

func (c *boundConn) Read(p []byte) (int, error) {
	credit := c.credit.Load()
	if credit <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), credit)])
	c.credit.Add(int64(-n))
	return n, err
}

// hand notes that a connection was given to a request, and returns where it leads.
func hand(conn net.Conn) (remote string) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	c, ok := conn.(*boundConn)
	if !ok { // there is no other: dial makes them all
		return conn.RemoteAddr().String()
	}
	if c.credit.Add(creditPerRequest) > creditMost {
		c.credit.Store(creditMost)
	}
	if c.handed.CompareAndSwap(false, true) { // only then: later deadlines on it are the transport's
		_ = c.SetDeadline(time.Time{})
	}
	return c.remote
}

// dialDeadline asks the context of a dial for the time by which its request must have ended.
type dialDeadline struct{}

// dial dials a boundConn, with credit for a handshake.
func dial(dialer *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		by, ok := ctx.Value(dialDeadline{}).(time.Time)
		if !ok {
			by = time.Now().Add(maxTimeout)
		}
		ctx, cancel := context.WithDeadline(ctx, by)
		defer cancel()
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &boundConn{Conn: conn, remote: conn.RemoteAddr().String()}
		c.credit.Store(creditPerRequest)
		_ = c.SetDeadline(by) // fails only on a closed connection, where the handshake will say so
		return c, nil
	}
}
