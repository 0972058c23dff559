package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/tidings/tidings/dispatcher"
)

// classify names the reason for an error of the transport. The order of the questions is the order of certainty: what
// we did ourselves, what the clock did, and then how far the request had come.
func classify(err error, at stage) dispatcher.Reason {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errBlocked):
		return dispatcher.ReasonBlockedAddress
	case at.resend:
		return dispatcher.ReasonReset
	case errors.Is(err, context.Canceled):
		return dispatcher.ReasonInterrupted // only the caller cancels: Do's own context ends by its deadline
	case errors.As(err, &dns) && !(dns.IsTimeout && at.expired):
		return dispatcher.ReasonDNS // also a resolver that gave up before our deadline did
	case isTimeout(err):
		return dispatcher.ReasonTimeout
	case at.remote != "":
		return classifyBroken(err)
	case at.tlsFailed:
		return dispatcher.ReasonTLS
	case errors.As(err, &op) && op.Op == "dial":
		return dispatcher.ReasonConnect
	case strings.HasPrefix(err.Error(), "net/http: invalid "):
		return dispatcher.ReasonBadURL // a method or header the transport will not write; it has no type for it
	default:
		return dispatcher.ReasonConnect
	}
}

// isTimeout also holds for context.DeadlineExceeded and for the kernel's ETIMEDOUT.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// classifyBroken is for errors on a connection that stood.
func classifyBroken(err error) dispatcher.Reason {
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record), errors.As(err, &op) && strings.HasSuffix(op.Op, " error"):
		// An alert ("remote error", "local error"). A TLS 1.3 server refuses a missing client certificate only after
		// the handshake is done for the client.
		return dispatcher.ReasonTLS
	case isBreak(err):
		return dispatcher.ReasonReset
	default:
		return dispatcher.ReasonProtocol
	}
}

// isBreak reports whether the other side, or the way to it, ended the connection or the HTTP/2 stream.
func isBreak(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, target) {
			return true
		}
	}
	text := err.Error() // net/http keeps these errors to itself; the tests hold it to the words
	for _, words := range []string{
		"server closed idle connection", "server sent GOAWAY", "graceful shutdown GOAWAY", "REFUSED_STREAM",
		"client connection lost", "cannot rewind body after connection loss", "client conn could not be established",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return strings.HasPrefix(text, "stream error: ") && !strings.Contains(text, "PROTOCOL_ERROR")
}
