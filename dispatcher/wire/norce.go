package wire

import (
	"slices"
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
	return Rendered{Header: asJSON, Body: appendNorce(make([]byte, 0, norceRoom(m.Snapshot)), m.Snapshot)}, nil
}

// norceRoom is about how many bytes appendNorce appends.
func norceRoom(s dispatcher.Snapshot) int {
	size := 256 + s.Order.Document.Size()
	for _, n := range s.Notifications {
		size += 128 + len(n.ID) + len(n.AdapterID) + len(n.Reference) + len(n.Description) + n.Scope.Size() + n.Schema.Size() + len(n.Invoke)
	}
	return size
}

// appendNorce appends the bare order.
func appendNorce(dst []byte, s dispatcher.Snapshot) []byte {
	order, members := s.Order, s.Order.Document.Members()
	dst = append(dst, '{')
	for _, m := range [...]struct{ name, text string }{
		{"id", order.ID},
		{"merchant", order.Merchant},
		{"channel", order.Channel},
		{"created", order.Created.Format(time.RFC3339Nano)},
		{"lastModified", order.Modified.Format(time.RFC3339Nano)},
	} {
		if !slices.ContainsFunc(members, func(own scope.Member) bool { return own.Name == m.name }) {
			dst = appendText(dst, m.name, m.text)
		}
	}
	for _, m := range members {
		if m.Name != "notifications" { // the API takes them out, too
			dst = appendMember(dst, m.Name, m.Value)
		}
	}
	return append(appendNotifications(appendName(dst, "notifications"), s.Notifications), '}')
}

func appendNotifications(dst []byte, all []dispatcher.PublicNotification) []byte {
	dst = append(dst, '[')
	for i, n := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for _, m := range [...]struct{ name, text string }{
			{"id", n.ID}, {"adapterId", n.AdapterID}, {"reference", n.Reference}, {"description", n.Description},
		} {
			dst = appendGiven(dst, m.name, m.text)
		}
		dst = appendMember(appendMember(dst, "scope", n.Scope), "schema", n.Schema)
		dst = appendGiven(appendGiven(dst, "invoke", n.Invoke), "version", n.Version)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendGiven leaves out what was not given.
func appendGiven(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(dst, name, text)
}
