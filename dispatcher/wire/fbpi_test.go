package wire_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/scope"
)

// fixtures reads a file of fixtures: their bodies by name.
func fixtures(t *testing.T, file string) map[string]scope.Value {
	t.Helper()
	bodies := map[string]scope.Value{}
	for _, f := range value(t, read(t, file)).Member("fixtures").Items() {
		name, _ := f.Member("name").Text()
		bodies[name] = f.Member("body")
	}
	return bodies
}

func TestFBPIFixtures(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t, "noon-events.json")
	for _, tt := range []struct {
		name    string
		version int64
		options string
		id      string
		without []string // of our metadata: the guide's example does not have them, receivers do
	}{
		{"order-created-seed", 1, `{"projectCode":"<project_code>"}`, deliveryID, []string{"message_id", "destination_id"}},
		{"order-sync-with-ids", 2, `{"projectCode":"test-project","destinationId":"dest-xyz"}`, "msg-noon-abc123", nil},
		// returns-reference-update is about a parcel, not about an order: Tidings has no source for it.
	} {
		m := with(t, message(t, "fbpi", []byte(`{"x":1}`)), tt.options)
		m.Snapshot.Order.ID, m.Snapshot.Order.Version, m.Delivery.ID = "NFBO123456789", tt.version, tt.id
		// The fraction is cut, and a time of another zone is told in UTC.
		m.Snapshot.Order.Modified = time.Date(2026, 4, 9, 10, 42, 15, 999_999_999, time.FixedZone("CEST", 2*3600))
		if tt.version == 1 {
			m.Snapshot.Order.Created = m.Snapshot.Order.Modified
		}
		sent := value(t, render(t, format(t, "fbpi"), m).Body)
		sent = sent.With("metadata", sent.Member("metadata").Without(tt.without...))
		if want := bodies[tt.name]; string(sent.JSON()) != string(want.JSON()) {
			t.Errorf("%s\n got %s\nwant %s", tt.name, sent.JSON(), want.JSON())
		}
	}
}

func TestFBPIDefaults(t *testing.T) {
	t.Parallel()
	for since, want := range map[time.Duration]string{0: "FBPI::ORDER_CREATED", time.Millisecond: "FBPI::ORDER_SYNC", time.Hour: "FBPI::ORDER_SYNC"} {
		m := message(t, "fbpi", []byte(`{"id":"mine","x":1}`))
		m.Snapshot.Order.Created = m.Snapshot.Order.Modified.Add(-since)
		sent := value(t, render(t, format(t, "fbpi"), m).Body)
		if got, _ := sent.Member("event_type").Text(); got != want {
			t.Errorf("%v after it was made it is a %s, want %s", since, got, want)
		}
		fixed := value(t, render(t, format(t, "fbpi"), with(t, m, `{"eventType":"FBPO::PO_SYNC"}`)).Body)
		if got, _ := fixed.Member("event_type").Text(); got != "FBPO::PO_SYNC" {
			t.Errorf("%v after it was made it is a %s in spite of the option", since, got)
		}
		for name, text := range map[string]string{
			"message_id": deliveryID, "destination_id": "ocGooDddTOjKOuFmNnkEozEpfuTh", "project_code": "norce"} {
			if got, _ := sent.Member("metadata").Member(name).Text(); got != text {
				t.Errorf("%s is %s, want %s", name, got, text)
			}
		}
		// The receiver fetches by it: it is the id that Tidings knows, whatever the document calls itself.
		if got, _ := sent.Member("payload").Member("order_nr").Text(); got != "o_yClTSySjyAuuBjmiBlHCjuEcTf" {
			t.Errorf("order_nr is %s", got)
		}
	}
}
