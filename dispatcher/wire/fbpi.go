package wire

import (
	"regexp"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// FBPI is noon's event notification, a thin envelope; the receiver then fetches order and customer:
//
//	{"event_schema_version":1,"event_type":"FBPI::ORDER_CREATED",
//	 "metadata":{"message_id":"","destination_id":"","published_at":"2026-04-09T08:42:15Z","project_code":""},
//	 "payload":{"order_nr":""}}
//
// Source: noon's FBPI integration guide and API reference (the type, which they name differently, is an option);
// message_id and destination_id from receivers, which know repetitions by the first.
//
// Options: eventType NAMESPACE::TYPE (without it, FBPI::ORDER_CREATED for the first version of an order and
// FBPI::ORDER_SYNC for every later one), projectCode (the merchant), destinationId (the notification's id).
type FBPI struct{}

var fbpiEventType = regexp.MustCompile(`^[A-Za-z0-9_.-]+::[A-Za-z0-9_.-]+$`)

// Name implements Format.
func (FBPI) Name() string { return dispatcher.FormatFBPI }

// CheckOptions implements Format.
func (FBPI) CheckOptions(options scope.Value) scope.Faults {
	return checkOptions(options,
		option{name: "eventType", kind: scope.KindString, want: "NAMESPACE::TYPE, each of A-Z a-z 0-9 . _ -",
			fits: fbpiEventType.MatchString},
		option{name: "projectCode", kind: scope.KindString},
		option{name: "destinationId", kind: scope.KindString})
}

// Retry implements Format. noon promises at-least-once and names no schedule: the default ladder.
func (FBPI) Retry() dispatcher.Retry { return dispatcher.Retry{} }

// Render implements Format.
func (FBPI) Render(m Message) (Rendered, error) {
	order, options := m.Snapshot.Order, m.Delivery.Options
	eventType := "FBPI::ORDER_SYNC"
	if order.New() {
		eventType = "FBPI::ORDER_CREATED"
	}
	return rendered(scope.Object(
		member("event_schema_version", scope.Number("1")),
		text("event_type", textOption(options, "eventType", eventType)),
		member("metadata", scope.Object(
			text("message_id", m.Delivery.ID),
			text("destination_id", textOption(options, "destinationId", m.Delivery.NotificationID)),
			text("published_at", order.Modified.UTC().Format(time.RFC3339)), // whole seconds: the fraction is cut
			text("project_code", textOption(options, "projectCode", order.Merchant)),
		)),
		member("payload", scope.Object(text("order_nr", order.ID))),
	)), nil
}
