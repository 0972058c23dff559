package queue

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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
func (t *attempt) compose(ctx context.Context, target string) (outbound.Request, obstacle, error) {
	var request outbound.Request
	format, err := wire.Lookup(t.h.Format)
	if err != nil {
		return request, obstacle{dispatcher.ReasonUnrenderable, err.Error()}, nil
	}
	rendered, err := format.Render(wire.Message{Delivery: t.h.Delivery, Snapshot: *t.snap})
	switch {
	case err != nil:
		return request, obstacle{dispatcher.ReasonUnrenderable, err.Error()}, nil
	case len(rendered.Body) > wire.MaxBodyBytes:
		return request, obstacle{dispatcher.ReasonTooLarge, fmt.Sprintf("the body would have %d bytes, at most %d are sent", len(rendered.Body), wire.MaxBodyBytes)}, nil
	}
	h := newHeaders(len(t.n.Headers))
	t.addCommon(&h)
	h.addAll(rendered.Header)
	for _, own := range t.n.Headers {
		h.add(http.CanonicalHeaderKey(own.Name), own.Value.Reveal())
	}
	request = outbound.Request{Method: t.n.Method, URL: target, Body: rendered.Body, Timeout: t.n.Timeout.D(), Header: h.all}
	seal, why, err := t.seal(ctx, &sign.Message{
		Method: t.n.Method, URL: target, ID: t.h.ID, Timestamp: t.told.At, ContentType: h.all.Get("Content-Type"), Body: rendered.Body,
	})
	h.addAll(seal)
	return request, why, err
}

// resolve puts the values of the order and of the adapter's configuration into the URL.
func (t *attempt) resolve(ctx context.Context, at *address) (string, obstacle, error) {
	switch {
	case at.fault != nil:
		return "", obstacle{dispatcher.ReasonBadURL, at.fault.Error()}, nil
	case at.fixed:
		return t.n.URL, obstacle{}, nil
	}
	order := t.snap.Order
	values := order.Document.Unfolded()
	if values.Member("id").IsAbsent() {
		values = values.With("id", scope.String(order.ID))
	}
	for name, text := range map[string]string{"merchant": order.Merchant, "channel": order.Channel} {
		if values.Member(name).IsAbsent() {
			values = values.With(name, scope.String(text))
		}
	}
	var configuration scope.Value
	if at.template.NeedsConfiguration() {
		c, err := t.store.Configuration(ctx, order.Merchant, order.Channel, t.n.AdapterID)
		if err != nil && !errors.Is(err, dispatcher.ErrNotFound) {
			return "", obstacle{}, err
		}
		configuration = c.Document
	}
	target, err := at.template.Resolve(values, configuration)
	if err != nil {
		return "", obstacle{dispatcher.ReasonUnresolved, err.Error()}, nil
	}
	return target, obstacle{}, nil
}
