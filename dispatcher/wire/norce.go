package wire

import (
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Norce is the body of a Norce Checkout notification: the bare order as it was when the change happened, with the
// members that identify it and the order's notifications, these without headers and secrets. Members that the adapter
// wrote itself stay as written. Source: the HandleState... operations of Norce's adapter OpenAPI.
//
// Options: version "v0" or "v1", taken because Norce's notifications have it. It has no effect on the body: no
// difference between the two is documented.
type Norce struct{}

// Name implements Format.
func (Norce) Name() string { return dispatcher.FormatNorce }

// CheckOptions implements Format.
func (Norce) CheckOptions(options scope.Value) scope.Faults {
	return checkOptions(options, option{name: "version", kind: scope.KindString, want: "v0 or v1",
		fits: func(s string) bool { return s == "v0" || s == "v1" }})
}

// Retry implements Format. Norce documents no automatic retry for Checkout: the default ladder.
func (Norce) Retry() dispatcher.Retry { return dispatcher.Retry{} }

// Render implements Format.
func (Norce) Render(m Message) (Rendered, error) {
	return rendered("application/json", norceOrder(m.Snapshot)), nil
}

// norceOrder is the bare order.
func norceOrder(s dispatcher.Snapshot) scope.Value {
	order := s.Order
	own := order.Document.Members()
	identity := [...]scope.Member{
		text("id", order.ID),
		text("merchant", order.Merchant),
		text("channel", order.Channel),
		text("created", order.Created.Format(time.RFC3339Nano)),
		text("lastModified", order.Modified.Format(time.RFC3339Nano)),
	}
	members := make([]scope.Member, 0, len(identity)+len(own)+1)
	for _, m := range identity {
		if order.Document.Member(m.Name).IsAbsent() {
			members = append(members, m)
		}
	}
	members = append(members, own...)
	members = append(members, member("notifications", publicNotifications(s.Notifications)))
	return scope.Object(members...)
}

func publicNotifications(all []dispatcher.PublicNotification) scope.Value {
	items := make([]scope.Value, 0, len(all))
	for _, n := range all {
		members := make([]scope.Member, 0, 8)
		given := func(name, value string) {
			if value != "" {
				members = append(members, text(name, value))
			}
		}
		given("id", n.ID)
		given("adapterId", n.AdapterID)
		given("reference", n.Reference)
		given("description", n.Description)
		members = append(members, member("scope", n.Scope), member("schema", n.Schema))
		given("invoke", n.Invoke)
		given("version", n.Version)
		items = append(items, scope.Object(members...))
	}
	return scope.Array(items...)
}
