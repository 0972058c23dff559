// Package receiver is for those who receive what Tidings sends: it verifies every seal of ours on an incoming request,
// says exactly why one does not hold, recognises the format and reads what the headers tell.
//
//	message, err := receiver.Verifier{Secrets: []string{"whsec_..."}}.Receive(r)
//
// A duplicate is known by Message.ID, which is the same on every attempt: keep the ids
// that you have worked on. docs/receivers.md says the same for Python and Node.
package receiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// MaxBodyBytes bounds what Read takes. No body of Tidings' is larger than half of it.
const MaxBodyBytes = 8 << 20

// ErrTooLarge says that a body is larger than MaxBodyBytes.
var ErrTooLarge = errors.New("the body is too large")

// Message is a request as its headers and body tell it. What they do not tell is zero. Nothing in it is to be believed
// before Verify has passed; and what is not sealed (see Verify) not even then.
type Message struct {
	ID           string   // webhook-id: the delivery, the same on every attempt; the key to know duplicates by
	Event        string   // X-Tidings-Event: the Event of this attempt, to be found in the API
	Attempt      int      // X-Tidings-Attempt: 1 is the first
	OrderID      string   // X-Tidings-Order: the order's id in Tidings, in every format; without it, what the body says
	OrderVersion int64    // X-Tidings-Order-Version: the version that the change made; grows by one with every change
	Scope        []string // X-Tidings-Scope: the keys that matched; a list over 1024 bytes is cut
	Merchant     string   // X-Merchant
	Channel      string   // X-Channel
	Test         bool     // X-Tidings-Test: true, a message that only tries out the way
	Format       Format
	Body         []byte // as received, which is what is sealed
}

// Receive reads a request and verifies its seal. Only a nil error makes the Message one of Tidings'.
func (v Verifier) Receive(r *http.Request) (Message, error) {
	m, err := Read(r)
	if err != nil {
		return Message{}, err
	}
	if err := v.Verify(r, m.Body); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Read reads a request's headers and its body, which can be read from r again afterwards. The error names everything
// that could not be read (ErrTooLarge, ErrBadHeader, or what the connection says); the Message holds the rest.
func Read(r *http.Request) (Message, error) {
	body, bodyErr := readBody(r)
	header := r.Header
	m := Message{
		ID: header.Get(headerID), Event: header.Get(headerEvent), Merchant: header.Get("X-Merchant"),
		Channel: header.Get("X-Channel"), Test: header.Get("X-Tidings-Test") == "true",
		Scope: readScope(header.Get(headerScope)), Format: Recognise(header, body), Body: body,
	}
	if m.OrderID = header.Get(headerOrder); m.OrderID == "" {
		m.OrderID = orderID(m.Format, header, body)
	}
	attempt, attemptErr := readCount(header, headerAttempt)
	version, versionErr := readCount(header, headerVersion)
	m.Attempt, m.OrderVersion = int(attempt), version
	return m, errors.Join(bodyErr, attemptErr, versionErr)
}

const (
	headerID      = "webhook-id"
	headerEvent   = "X-Tidings-Event"
	headerAttempt = "X-Tidings-Attempt"
	headerOrder   = "X-Tidings-Order"
	headerVersion = "X-Tidings-Order-Version"
	headerScope   = "X-Tidings-Scope"
)

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	if err == nil && len(body) > MaxBodyBytes {
		body, err = body[:MaxBodyBytes], fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxBodyBytes)
	} else if err != nil {
		err = fmt.Errorf("reading the body, after %d bytes: %w", len(body), err)
	}
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// readCount reads a header that holds a number from 1; 0 when it is not there.
func readCount(header http.Header, name string) (int64, error) {
	text := header.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: %s is not a number from 1", ErrBadHeader, name)
	}
	return int64(n), nil
}

// readScope splits the keys, in which commas, percent signs and all that is not visible ASCII are percent-encoded.
func readScope(text string) []string {
	if text == "" {
		return nil
	}
	keys := strings.Split(text, ",")
	for i, key := range keys {
		if plain, err := url.PathUnescape(key); err == nil { // the last of a list that was cut may end within an escape
			keys[i] = plain
		}
	}
	return keys
}
