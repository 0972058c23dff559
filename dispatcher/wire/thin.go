package wire

import (
	"net/url"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Thin tells that something changed and where to look, and holds nothing of the order's content but the keys of the
// scope that matched:
//
//	{"orderId":"","orderVersion":7,"scope":["state.completed"],"time":"","deliveryId":"",
//	 "links":{"order":"/api/v0/checkout/orders/<id>","delivery":"/api/v0/checkout/notifications/deliveries/<id>"}}
//
// The links are relative to Tidings and need a token. The source of this shape is Tidings itself: api/openapi.yaml has
// what stands behind the links. No options.
type Thin struct{}

// Name implements Format.
func (Thin) Name() string { return dispatcher.FormatThin }

// CheckOptions implements Format.
func (Thin) CheckOptions(options scope.Value) scope.Faults { return checkOptions(options) }

// Retry implements Format: the default ladder.
func (Thin) Retry() dispatcher.Retry { return dispatcher.Retry{} }

// Render implements Format.
func (Thin) Render(m Message) (Rendered, error) {
	const prefix = "/api/v0/checkout"
	order := m.Snapshot.Order
	var keys []scope.Value
	for _, key := range m.Delivery.Scope {
		keys = append(keys, scope.String(key))
	}
	return rendered(scope.Object(
		text("orderId", order.ID),
		member("orderVersion", scope.Number(strconv.FormatInt(order.Version, 10))),
		member("scope", scope.Array(keys...)),
		text("time", order.Modified.UTC().Format(time.RFC3339Nano)),
		text("deliveryId", m.Delivery.ID),
		member("links", scope.Object(
			text("order", prefix+"/orders/"+url.PathEscape(order.ID)),
			text("delivery", prefix+"/notifications/deliveries/"+url.PathEscape(m.Delivery.ID)),
		)),
	)), nil
}
