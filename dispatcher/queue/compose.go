package queue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

func isUnavailable(err error) bool { return errors.Is(err, dispatcher.ErrUnavailable) }

// obstacle says why a request cannot be sent; its reason is "" when it can. The detail tells the merchant what is
// missing, in words of our own formats and templates.
type obstacle struct {
	reason dispatcher.Reason
	detail string
}

// compose builds the request of an attempt. An obstacle says why it cannot be sent; an error that we could not look.
func (d *Deliverer) compose(ctx context.Context, del dispatcher.Delivery, n dispatcher.Notification, snap dispatcher.Snapshot, a dispatcher.Attempt, target string) (outbound.Request, obstacle, error) {
	var request outbound.Request
	format, err := wire.Lookup(del.Format)
	if err != nil {
		return request, obstacle{dispatcher.ReasonUnrenderable, err.Error()}, nil
	}
	rendered, err := format.Render(wire.Message{Delivery: del, Snapshot: snap})
	switch {
	case err != nil:
		return request, obstacle{dispatcher.ReasonUnrenderable, err.Error()}, nil
	case len(rendered.Body) > wire.MaxBodyBytes:
		return request, obstacle{dispatcher.ReasonTooLarge, fmt.Sprintf("the body would have %d bytes, at most %d are sent", len(rendered.Body), wire.MaxBodyBytes)}, nil
	}
	request = outbound.Request{Method: n.Method, URL: target, Body: rendered.Body, Timeout: n.Timeout.D(), Header: d.headers(del, a)}
	for name, values := range rendered.Header {
		request.Header[name] = values
	}
	for _, h := range n.Headers {
		request.Header.Set(h.Name, h.Value.Reveal())
	}
	seal, why, err := d.seal(ctx, del, n, sign.Message{
		Method: n.Method, URL: target, ID: del.ID, Timestamp: a.At, ContentType: request.Header.Get("Content-Type"), Body: rendered.Body,
	})
	for name, values := range seal {
		request.Header[name] = values
	}
	return request, why, err
}

// resolve puts the values of the order and of the adapter's configuration into the URL.
func (d *Deliverer) resolve(ctx context.Context, n dispatcher.Notification, snap dispatcher.Snapshot) (string, obstacle, error) {
	template, err := dispatcher.ParseURLTemplate(n.URL)
	if err != nil {
		return "", obstacle{dispatcher.ReasonBadURL, err.Error()}, nil
	}
	if !template.HasPlaceholders() {
		return n.URL, obstacle{}, nil
	}
	order := snap.Order
	values := order.Document
	if values.Member("id").IsAbsent() {
		values = values.With("id", scope.String(order.ID))
	}
	for name, text := range map[string]string{"merchant": order.Merchant, "channel": order.Channel} {
		if values.Member(name).IsAbsent() {
			values = values.With(name, scope.String(text))
		}
	}
	var configuration scope.Value
	if template.NeedsConfiguration() {
		c, err := d.store.Configuration(ctx, order.Merchant, order.Channel, n.AdapterID)
		if err != nil && !errors.Is(err, dispatcher.ErrNotFound) {
			return "", obstacle{}, err
		}
		configuration = c.Document
	}
	target, err := template.Resolve(values, configuration)
	if err != nil {
		return "", obstacle{dispatcher.ReasonUnresolved, err.Error()}, nil
	}
	return target, obstacle{}, nil
}

// headers are those that every request carries, whatever its format.
func (d *Deliverer) headers(del dispatcher.Delivery, a dispatcher.Attempt) http.Header {
	var span [8]byte
	_, _ = rand.Read(span[:]) // never fails (Go 1.24)
	header := http.Header{}
	header.Set("User-Agent", d.agent)
	header.Set("Webhook-Id", del.ID)
	header.Set("Webhook-Timestamp", strconv.FormatInt(a.At.Unix(), 10))
	header.Set("X-Tidings-Event", a.ID.String())
	header.Set("X-Tidings-Attempt", strconv.Itoa(a.Number))
	header.Set("X-Tidings-Order", del.OrderID) // visible ASCII, as every id that the API takes
	header.Set("X-Tidings-Order-Version", strconv.FormatInt(del.OrderVersion, 10))
	header.Set("X-Tidings-Scope", scopeHeader(del.Scope))
	if del.Test {
		header.Set("X-Tidings-Test", "true")
	}
	header.Set("X-Merchant", del.Merchant)
	header.Set("X-Channel", del.Channel)
	// One trace for all that a change caused (W3C Trace Context): its id is the change's.
	header.Set("Traceparent", "00-"+del.ChangeID+"-"+hex.EncodeToString(span[:])+"-01")
	return header
}

// scopeHeader joins scope keys with commas. A key may hold any text of the order, so what is not visible ASCII, and
// commas and percent signs within a key, are percent-encoded; long lists are cut, for the whole list is in the Event.
func scopeHeader(keys []string) string {
	const most = 1024
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, c := range []byte(key) {
			if c <= ' ' || c >= 0x7f || c == ',' || c == '%' {
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
