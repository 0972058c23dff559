package wire

import (
	"net/http"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Norce is the body of a Norce Checkout notification: the bare order as it was when the change happened, with the
// members that identify it and the order's notifications, these without headers and secrets. Members that the adapter
// wrote itself stay as written. Source: the HandleState... operations of Norce's adapter OpenAPI.
type Norce struct{}

// Name implements Format.
func (Norce) Name() string { return dispatcher.FormatNorce }

// Render implements Format.
func (Norce) Render(m Message) (Rendered, error) {
	order := m.Snapshot.Order
	identity := []scope.Member{
		{Name: "id", Value: scope.String(order.ID)},
		{Name: "merchant", Value: scope.String(order.Merchant)},
		{Name: "channel", Value: scope.String(order.Channel)},
		{Name: "created", Value: scope.String(order.Created.Format(time.RFC3339Nano))},
		{Name: "lastModified", Value: scope.String(order.Modified.Format(time.RFC3339Nano))},
	}
	var members []scope.Member
	for _, member := range identity {
		if order.Document.Member(member.Name).IsAbsent() {
			members = append(members, member)
		}
	}
	members = append(members, order.Document.Members()...)
	members = append(members, scope.Member{Name: "notifications", Value: publicNotifications(m.Snapshot.Notifications)})
	return Rendered{
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   scope.Object(members...).JSON(),
	}, nil
}

func publicNotifications(all []dispatcher.PublicNotification) scope.Value {
	items := make([]scope.Value, 0, len(all))
	for _, n := range all {
		var members []scope.Member
		text := func(name, value string) {
			if value != "" {
				members = append(members, scope.Member{Name: name, Value: scope.String(value)})
			}
		}
		text("id", n.ID)
		text("adapterId", n.AdapterID)
		text("reference", n.Reference)
		text("description", n.Description)
		members = append(members, scope.Member{Name: "scope", Value: n.Scope}, scope.Member{Name: "schema", Value: n.Schema})
		text("invoke", n.Invoke)
		text("version", n.Version)
		items = append(items, scope.Object(members...))
	}
	return scope.Array(items...)
}
