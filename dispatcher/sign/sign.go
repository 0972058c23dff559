// Package sign seals requests: it turns a message and a key into the headers by which a receiver can tell that the
// message is from us and unchanged. One scheme is one file, with its verifier beside it.
package sign

import (
	"net/http"
	"time"
)

// Message is what a seal covers. The bytes of Body are the bytes that are sent; nothing may touch them after.
type Message struct {
	Method      string
	URL         string
	ID          string    // the delivery's id, the same on every attempt
	Timestamp   time.Time // of this attempt
	ContentType string    // as it is sent; only HTTP Message Signatures cover it
	Body        []byte
}

// Signer is one way to seal a request. It is safe for concurrent use and never prints its keys.
type Signer interface {
	// Sign returns the headers to set. It fails only for a message that the scheme cannot seal.
	Sign(m Message) (http.Header, error)
}
