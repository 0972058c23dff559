package dispatcher

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidings/tidings/scope"
)

// Plan matches a change against the notifications of its order and returns the deliveries that it owes, in the order
// of the notifications. It is pure: planned twice, the same deliveries come out. A thousand notifications may take
// seconds, so it gives up once nobody waits for it any more; the error is the context's.
func Plan(ctx context.Context, change Change, notifications []Notification) ([]Delivery, error) {
	var owed []Delivery
	match := func(s scope.Scope) []scope.Hit { return s.Match(change.Before, change.Order.Document) }
	if len(notifications) > 1 { // then several may look at the same place
		versions := scope.Compare(change.Before, change.Order.Document)
		match = func(s scope.Scope) []scope.Hit { return s.MatchVersions(versions) }
	}
	for _, n := range notifications {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("matching a change against %d notifications: %w", len(notifications), err)
		}
		if !n.Stopped.IsZero() || (change.Actor != "" && slices.Contains(n.ExcludeActors, change.Actor)) {
			continue
		}
		hits := match(n.Scope)
		if len(hits) == 0 {
			continue
		}
		owed = append(owed, newDelivery(change, n, hits))
	}
	return owed, nil
}

func newDelivery(change Change, n Notification, hits []scope.Hit) Delivery {
	order := change.Order
	d := Delivery{
		ID:       DeliveryID(order.Ref(), change.ID, n.ID),
		Merchant: order.Merchant, Channel: order.Channel, OrderID: order.ID, OrderVersion: order.Version,
		ChangeID: change.ID, NotificationID: n.ID, Registered: n.Created, AdapterID: n.AdapterID, Reference: n.Reference,
		Format: n.Format, Options: n.Options, Ordering: n.Ordering, Created: order.Modified,
		Status: StatusPending, NextTrigger: TriggerAutomatic, Generation: 1,
	}
	if n.ExpiresAfter > 0 {
		d.ExpiresAt = order.Modified.Add(n.ExpiresAfter.D())
	}
	for _, hit := range hits {
		d.Scope = append(d.Scope, hit.Key)
		d.Evidence = append(d.Evidence, evidence(hit))
	}
	return d
}

func evidence(hit scope.Hit) Evidence {
	e := Evidence{Scope: hit.Key, Pointer: hit.Pointer.String(), Before: hit.Before, After: hit.After}
	if e.Before.LongerThan(MaxEvidenceBytes) {
		e.Before, e.Truncated = scope.Value{}, true
	}
	if e.After.LongerThan(MaxEvidenceBytes) {
		e.After, e.Truncated = scope.Value{}, true
	}
	return e
}
