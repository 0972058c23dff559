package wire_test

import (
	"slices"
	"testing"

	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// proboMessage is a change of the fixtures' order.
func proboMessage(t *testing.T, document scope.Value) wire.Message {
	t.Helper()
	m := message(t, "probo", document.JSON())
	m.Snapshot.Order.ID = "my_weborder_1234"
	return m
}

func status(text string) scope.Value {
	return scope.Object(scope.Member{Name: "currentStatus", Value: scope.String(text)})
}

// An order that brings its own members gives Probo's own callbacks, byte for byte, wherever it keeps them.
func TestProboFixtures(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t, "probo-callbacks.json")
	if len(bodies) != 5 {
		t.Fatalf("%d fixtures, want 5", len(bodies))
	}
	for name, body := range bodies {
		var own []scope.Member
		for _, m := range slices.Concat(body.Members(), body.Member("order").Members()) {
			if m.Name != "status" && m.Name != "order" && m.Name != "id" {
				own = append(own, m)
			}
		}
		text, _ := body.Member("status").Text()
		itself := scope.Object(own...).With("state", status(text))
		inAttributes := scope.Object(
			scope.Member{Name: "attributes", Value: scope.Object(own...)}, scope.Member{Name: "state", Value: status(text)})
		for _, document := range []scope.Value{itself, inAttributes} {
			if got := render(t, format(t, "probo"), proboMessage(t, document)).Body; string(got) != string(body.JSON()) {
				t.Errorf("%s from %s\n got %s\nwant %s", name, document.JSON(), got, body.JSON())
			}
		}
	}
	// The one fixture whose message is the status in words needs no message of its own (wire.md §C).
	transit := value(t, []byte(`{"state":{"currentStatus":"shipment_in_transit"}}`))
	if got := value(t, render(t, format(t, "probo"), proboMessage(t, transit)).Body).Member("message"); !scope.Equal(got,
		bodies["shipment_in_transit"].Member("message")) {
		t.Errorf("message %s", got.JSON())
	}
}

func TestProboMessage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ document, options, want string }{
		{`{"state":{"currentStatus":"queued"}}`, "", "Queued"},
		{`{"state":{"currentStatus":"not_accepted"}}`, "", "Not Accepted"},
		{`{"state":{"currentStatus":"in_production"}}`, "", "In Production"},
		{`{"state":{"currentStatus":"shipment_available_at_pickup_point"}}`, "", "Shipment Available At Pickup Point"},
		{`{"state":{"currentStatus":"__élan__vital_"}}`, "", "Élan Vital"},
		{`{"state":{"currentStatus":"_"}}`, "", "_"}, // no words: never an empty message
		{`{"state":{"currentStatus":"queued"},"attributes":{"message":"theirs"}}`, "", "theirs"},
		{`{"state":{"currentStatus":"queued"},"message":"own","attributes":{"message":"theirs"}}`, "", "own"},
		{`{"state":{"currentStatus":"queued"},"message":null,"attributes":{"message":"theirs"}}`, "", "theirs"},
		{`{"state":{"currentStatus":"queued"},"message":7}`, "", "Queued"},
		{`{"state":{"currentStatus":"queued"},"message":""}`, "", "Queued"},
		{`{"state":{"currentStatus":"queued"},"message":"own"}`, `{"message":"fixed"}`, "fixed"},
	} {
		r := render(t, format(t, "probo"), with(t, proboMessage(t, value(t, []byte(tt.document))), tt.options))
		if got, _ := value(t, r.Body).Member("message").Text(); got != tt.want {
			t.Errorf("%s %s: message %q, want %q", tt.document, tt.options, got, tt.want)
		}
	}
}

// What is missing is missing, never null; so is what a receiver could not read.
func TestProboLeavesOut(t *testing.T) {
	t.Parallel()
	const head = `{"status":"queued","message":"Queued",`
	for _, tt := range []struct{ members, want string }{
		{`"x":1`, `"order":{"id":"my_weborder_1234"}}`},
		{`"reference":null,"supplier_order_number":null,"status_page_url":null,"file":null,"shipped_packages":null`,
			`"order":{"id":"my_weborder_1234"}}`},
		{`"reference":1,"supplier_order_number":"1","status_page_url":{},"file":{"id":"1"},"shipped_packages":{}`,
			`"order":{"id":"my_weborder_1234"}}`},
		{`"file":{},"shipped_packages":[],"attributes":[]`, `"order":{"id":"my_weborder_1234"}}`},
		{`"supplier_order_number":1E+2,"attributes":{"supplier_order_number":7,"reference":"r"}`,
			`"order":{"id":"my_weborder_1234","supplier_order_number":1E+2,"reference":"r"}}`},
		{`"supplier_order_number":"x","attributes":{"supplier_order_number":7.0}`,
			`"order":{"id":"my_weborder_1234","supplier_order_number":7.0}}`},
		{`"id":"mine"`, `"order":{"id":"my_weborder_1234"}}`},
		{`"file":{"id":12345678901234567890.0,"name":"x"}`, `"file":{"id":12345678901234567890.0},"order":{"id":"my_weborder_1234"}}`},
		{`"shipped_packages":[{"barcode":"b&","weight":1,"id":"1","tracking_url":null},{"id":1},null,"x"]`,
			`"order":{"id":"my_weborder_1234"},"shipped_packages":[{"id":"1","barcode":"b&"}]}`},
	} {
		document := value(t, []byte(`{"state":{"currentStatus":"queued"},`+tt.members+`}`))
		if got := string(render(t, format(t, "probo"), proboMessage(t, document)).Body); got != head+tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.members, got, head+tt.want)
		}
	}
}

func TestProboNeedsAStatus(t *testing.T) {
	t.Parallel()
	for _, document := range []string{`{}`, `{"state":null}`, `{"state":"queued"}`, `{"state":{}}`, `{"status":"queued"}`,
		`{"state":{"currentStatus":null}}`, `{"state":{"currentStatus":3}}`, `{"state":{"currentStatus":""}}`} {
		if r, err := format(t, "probo").Render(proboMessage(t, value(t, []byte(document)))); err == nil {
			t.Errorf("%s gives %s", document, r.Body)
		}
	}
}
