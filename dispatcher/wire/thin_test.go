package wire_test

import (
	"testing"
	"time"
)

func TestThinBody(t *testing.T) {
	t.Parallel()
	m := message(t, "thin", []byte(`{"state":{"currentStatus":"completed"},"customer":{"email":"a@b.example"}}`))
	m.Snapshot.Order.Modified = m.Snapshot.Order.Modified.In(time.FixedZone("CEST", 2*3600))
	want := `{"orderId":"o_yClTSySjyAuuBjmiBlHCjuEcTf","orderVersion":3,"scope":["/state/currentStatus"],` +
		`"time":"2019-08-24T14:16:52.382Z","deliveryId":"` + deliveryID + `","links":{` +
		`"order":"/api/v0/checkout/orders/o_yClTSySjyAuuBjmiBlHCjuEcTf",` +
		`"delivery":"/api/v0/checkout/notifications/deliveries/` + deliveryID + `"}}`
	if got := string(render(t, format(t, "thin"), m).Body); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	m.Snapshot.Order.ID, m.Delivery.Scope = "a:b._-1", nil
	sent := value(t, render(t, format(t, "thin"), m).Body)
	if got := string(sent.Member("scope").JSON()); got != `[]` { // never null
		t.Errorf("no scope is %s", got)
	}
	if got, _ := sent.Member("links").Member("order").Text(); got != "/api/v0/checkout/orders/a:b._-1" {
		t.Errorf("link %s", got)
	}
}
