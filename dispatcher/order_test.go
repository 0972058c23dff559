package dispatcher_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Only the first document makes a new order, also when the second comes within the same millisecond or by a clock that was
// put back.
func TestNewOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first, _ := dispatcher.NewChange(dispatcher.Order{Merchant: "acme", ID: "1", Erased: 7}, value(t, `{"a":1}`), "", now)
	if o := first.Order; !o.New() || o.Version != 8 {
		t.Errorf("%+v", o)
	}
	for _, later := range []time.Duration{0, 300 * time.Microsecond, -time.Hour, time.Hour} {
		second, _ := dispatcher.NewChange(first.Order, value(t, `{"a":2}`), "", now.Add(later))
		if o := second.Order; o.New() || o.Version != 9 || o.Modified.UnixMilli() <= o.Created.UnixMilli() {
			t.Errorf("%v later: %+v", later, o)
		}
	}
	if (dispatcher.Order{}).New() {
		t.Error("an order without a document is new")
	}
}
