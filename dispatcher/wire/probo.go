package wire

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Probo is Probo's status callback:
//
//	{"status":"","message":"","file":{"id":1},
//	 "order":{"id":"","reference":"","supplier_order_number":1,"status_page_url":""},
//	 "shipped_packages":[{"id":"","tracking_url":"","barcode":""}]}
//
// All but status, message and order.id is optional; what the order does not have, or has as null or in another type
// than the receiver's, is left out. Source: Probo's guide "Callbacks (webhooks)".
//
// Options: message, a text for every call.
type Probo struct{}

// Name implements Format.
func (Probo) Name() string { return dispatcher.FormatProbo }

// CheckOptions implements Format.
func (Probo) CheckOptions(options scope.Value) scope.Faults {
	return checkOptions(options, option{name: "message", kind: scope.KindString})
}

// Retry implements Format. Probo documents none: the default ladder.
func (Probo) Retry() dispatcher.Retry { return dispatcher.Retry{} }

// Render implements Format.
func (Probo) Render(m Message) (Rendered, error) {
	document := m.Snapshot.Order.Document.Unfolded()
	current := document.Member("state").Member("currentStatus")
	status, _ := current.Text()
	if status == "" {
		return Rendered{}, errors.New("the order has no text at /state/currentStatus, the status that Probo's receivers need")
	}
	message := proboMember(document, "message", scope.KindString)
	if own, _ := message.Text(); own == "" {
		message = scope.String(inWords(status))
	}
	return rendered(scope.Object(
		member("status", current),
		member("message", first(m.Delivery.Options.Member("message"), message)),
		member("file", proboFile(document)),
		member("order", proboOrder(m.Snapshot.Order.ID, document)),
		member("shipped_packages", proboPackages(document)),
	)), nil
}

// proboMember is a member of the order itself or else of its attributes, if it has the kind that receivers expect.
func proboMember(document scope.Value, name string, kind scope.Kind) scope.Value {
	return first(ofKind(document.Member(name), kind), ofKind(document.Member("attributes").Member(name), kind))
}

var proboOrderMembers = map[string]scope.Kind{
	"reference": scope.KindString, "supplier_order_number": scope.KindNumber, "status_page_url": scope.KindString,
}

// proboOrder has its members in the order in which the adapter wrote them: Probo's own callbacks differ in that.
func proboOrder(id string, document scope.Value) scope.Value {
	order := []scope.Member{text("id", id)}
	taken := map[string]bool{}
	for _, source := range []scope.Value{document, document.Member("attributes")} {
		for _, m := range source.Members() {
			if kind, known := proboOrderMembers[m.Name]; known && m.Value.Kind() == kind && !taken[m.Name] {
				order, taken[m.Name] = append(order, m), true
			}
		}
	}
	return scope.Object(order...)
}

func proboFile(document scope.Value) scope.Value {
	return orAbsent(member("id", ofKind(proboMember(document, "file", scope.KindObject).Member("id"), scope.KindNumber)))
}

func proboPackages(document scope.Value) scope.Value {
	var packages []scope.Value
	for _, item := range proboMember(document, "shipped_packages", scope.KindArray).Items() {
		var known []scope.Member
		for _, name := range []string{"id", "tracking_url", "barcode"} {
			known = append(known, member(name, ofKind(item.Member(name), scope.KindString)))
		}
		if p := orAbsent(known...); !p.IsAbsent() {
			packages = append(packages, p)
		}
	}
	if len(packages) == 0 {
		return scope.Value{}
	}
	return scope.Array(packages...)
}

// inWords is a status in title-cased words: shipment_in_transit is Shipment In Transit.
func inWords(status string) string {
	words := strings.FieldsFunc(status, func(r rune) bool { return r == '_' || r == ' ' })
	for i, word := range words {
		r, size := utf8.DecodeRuneInString(word)
		words[i] = string(unicode.ToTitle(r)) + word[size:]
	}
	if len(words) == 0 {
		return status
	}
	return strings.Join(words, " ")
}
