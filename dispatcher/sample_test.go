package dispatcher_test

import (
	"slices"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

func TestNewTest(t *testing.T) {
	t.Parallel()
	unknown := dispatcher.Order{Merchant: "acme", ID: "1001", Channel: "web"}
	for _, row := range []struct {
		order    dispatcher.Order
		scope    string
		document string
		keys     []string
	}{
		{unknown, `{"state":["paid","sent"]}`, `{"id":"1001","state":{"currentStatus":"paid"}}`, []string{"state.paid"}},
		{unknown, `{"state":["*"]}`, `{"id":"1001","state":{"currentStatus":"completed"}}`, []string{"state.completed"}},
		{unknown, `{"cart":true}`, `{"id":"1001","state":{"currentStatus":"completed"}}`, []string{"cart"}}, // named, though the sample has none
		{unknown, `""`, `{"id":"1001","state":{"currentStatus":"completed"}}`, []string{"/"}},
		{unknown, `"/total"`, `{"id":"1001","state":{"currentStatus":"completed"}}`, []string{"/total"}},
		{order(t, 7, `{"state":{"currentStatus":"new"},"cart":1}`), `{"state":["paid"],"cart":true}`, `{"state":{"currentStatus":"new"},"cart":1}`, []string{"cart"}},
		{order(t, 7, `{"state":{"currentStatus":"new"}}`), `{"state":["paid"]}`, `{"state":{"currentStatus":"new"}}`, []string{"state.paid"}},
	} {
		n := full(t)
		n.Scope = rule(t, row.scope)
		change, d := dispatcher.NewTest(row.order, n, noon)
		if string(change.Order.Document.JSON()) != row.document || change.Order.Version != row.order.Version || !slices.Equal(d.Scope, row.keys) {
			t.Errorf("%s: %s at version %d, keys %v", row.scope, change.Order.Document.JSON(), change.Order.Version, d.Scope)
		}
		if d.InLane() || d.Expired(noon.AddDate(1, 0, 0)) || d.ChangeID != change.ID || d.NotificationID != n.ID || !d.Registered.Equal(n.Created) || !d.Created.Equal(noon) {
			t.Errorf("%+v", d)
		}
	}
}
