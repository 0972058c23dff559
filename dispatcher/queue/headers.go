package queue

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// headers is the header of one request under construction. Its values stand in one array, where each would have one of its
// own otherwise.
type headers struct {
	all    http.Header
	values []string
}

// usualHeaders is how many a request has beside the notification's own: those of addCommon, of the format and of a seal.
const usualHeaders = 14

func newHeaders(more int) headers {
	return headers{all: make(http.Header, usualHeaders+more), values: make([]string, 0, usualHeaders+more)}
}

// add sets a header, whose name is in its canonical spelling.
func (h *headers) add(name, value string) {
	h.values = append(h.values, value)
	last := len(h.values) - 1
	h.all[name] = h.values[last : last+1 : last+1]
}

func (h *headers) addAll(more http.Header) {
	for name, values := range more {
		h.all[name] = values
	}
}

// addCommon adds what every request carries, whatever its format.
func (t *attempt) addCommon(h *headers) {
	h.add("User-Agent", t.agent)
	h.add("Webhook-Id", t.h.ID)
	h.add("Webhook-Timestamp", strconv.FormatInt(t.told.At.Unix(), 10))
	h.add("X-Tidings-Event", t.told.ID.String())
	h.add("X-Tidings-Attempt", strconv.Itoa(t.told.Number))
	h.add("X-Tidings-Order", t.h.OrderID) // visible ASCII, as every id that the API takes
	h.add("X-Tidings-Order-Version", strconv.FormatInt(t.h.OrderVersion, 10))
	h.add("X-Tidings-Scope", scopeHeader(t.h.Scope))
	if t.h.Test {
		h.add("X-Tidings-Test", "true")
	}
	h.add("X-Merchant", t.h.Merchant)
	h.add("X-Channel", t.h.Channel)
	h.add("Traceparent", traceparent(t.h.ChangeID))
}

// traceparent puts all that a change caused into one trace (W3C Trace Context): its id is the change's.
func traceparent(changeID string) string {
	var span [8]byte
	_, _ = rand.Read(span[:]) // never fails (Go 1.24)
	var text [64]byte
	return string(append(hex.AppendEncode(append(append(append(text[:0], "00-"...), changeID...), '-'), span[:]), "-01"...))
}

// scopeHeader joins scope keys with commas. A key may hold any text of the order, so what is not visible ASCII, and
// commas and percent signs within a key, are percent-encoded; long lists are cut, for the whole list is in the Event.
func scopeHeader(keys []string) string {
	const most = 1024
	if len(keys) == 1 && len(keys[0]) <= most && !strings.ContainsFunc(keys[0], escapedInScope) {
		return keys[0]
	}
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, c := range []byte(key) {
			if escapedInScope(rune(c)) {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		if b.Len() > most {
			break
		}
	}
	return b.String()[:min(b.Len(), most)]
}

func escapedInScope(c rune) bool { return c <= ' ' || c >= 0x7f || c == ',' || c == '%' }
