package wire

import (
	"regexp"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// FaTPay is FaTPay's webhook for order events: {"order":{...}}, or the order's members at top level. The order is the
// document as written (93.09000000 keeps its zeros), with an id before it when it has none. Source: FaTPay's English
// documentation (wrapped), its Chinese documentation and a receiver (flat).
//
// Options: partnerId (required, X-FP-Partner-Id), wrap (true), versionHeader (false: no X-FP-Version). The body needs
// only wrap; the other two are the signer's.
type FaTPay struct{}

// A header holds it, and the signed string joins it with others: no spaces, & or =.
var fatpayPartnerID = regexp.MustCompile(`^[A-Za-z0-9._~+/:@-]{1,128}$`)

// Name implements Format.
func (FaTPay) Name() string { return dispatcher.FormatFaTPay }

// CheckOptions implements Format.
func (FaTPay) CheckOptions(options scope.Value) scope.Faults {
	return checkOptions(options,
		option{name: "partnerId", kind: scope.KindString, required: true, fits: fatpayPartnerID.MatchString,
			want: "1 to 128 characters of A-Z a-z 0-9 . _ ~ + / : @ -"},
		option{name: "wrap", kind: scope.KindBool},
		option{name: "versionHeader", kind: scope.KindBool})
}

// Retry implements Format: FaTPay sends once and waits for no answer.
func (FaTPay) Retry() dispatcher.Retry { return dispatcher.Retry{MaxAttempts: 1} }

// Render implements Format.
func (FaTPay) Render(m Message) (Rendered, error) {
	order := m.Snapshot.Order.Document
	if order.Member("id").IsAbsent() {
		order = scope.Object(append([]scope.Member{text("id", m.Snapshot.Order.ID)}, order.Members()...)...)
	}
	if isOption(m.Delivery.Options, "wrap", true) {
		order = scope.Object(member("order", order))
	}
	return rendered(order), nil
}
