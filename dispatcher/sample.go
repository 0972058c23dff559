package dispatcher

import (
	"time"

	"github.com/tidings/tidings/scope"
)

// NewTest returns a delivery that only tests whether a notification reaches its target, and the change that it is
// rendered from, which is none: the order as it stands, or a small made-up one where there is none yet. A test stands
// outside every lane, is attempted once at most, and neither repeated nor retried.
func NewTest(order Order, n Notification, now time.Time) (Change, Delivery) {
	if !order.Exists() {
		order.Created, order.Modified = now, now
		order.Document = scope.Object(scope.Member{Name: "id", Value: scope.String(order.ID)},
			scope.Member{Name: "state", Value: scope.Object(scope.Member{Name: "currentStatus", Value: scope.String(sampleStatus(n))})})
	}
	change := Change{ID: NewID(now), Order: order}
	d := newDelivery(change, n, nil)
	d.Created, d.ExpiresAt = now, time.Time{}
	d.Ordering, d.Lone, d.Test, d.NextTrigger = OrderingNone, true, true, TriggerTest
	d.Scope = sampleKeys(n, order.Document)
	return change, d
}

// sampleStatus is the first status that the notification fires for.
func sampleStatus(n Notification) string {
	rule, _ := n.Scope.JSON()
	if items := rule.Member("state").Items(); len(items) > 0 {
		if status, _ := items[0].Text(); status != "*" {
			return status
		}
	}
	return "completed"
}

// sampleKeys are those that a first document would have matched, else the first that the scope names.
func sampleKeys(n Notification, document scope.Value) []string {
	var keys []string
	for _, hit := range n.Scope.Match(scope.Value{}, document) {
		keys = append(keys, hit.Key)
	}
	if len(keys) > 0 {
		return keys
	}
	rule, _ := n.Scope.JSON()
	if pointer, ok := rule.Text(); ok {
		return []string{pointer}
	}
	name := rule.Members()[0].Name // an object scope has one at least
	if name == "state" {
		name += "." + sampleStatus(n)
	}
	return []string{name}
}
