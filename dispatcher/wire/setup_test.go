package wire_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

var update = flag.Bool("update", false, "write the golden bodies anew; look at the difference before keeping it")

func value(t testing.TB, text []byte) scope.Value {
	t.Helper()
	return within(t, text, scope.DefaultLimits)
}

func within(t testing.TB, text []byte, limits scope.Limits) scope.Value {
	t.Helper()
	v, faults := scope.Parse(text, limits)
	if len(faults) > 0 {
		t.Fatalf("%.80s: %v", text, faults)
	}
	return v
}

func rule(t testing.TB, text, schema string) scope.Scope {
	t.Helper()
	var against scope.Value
	if schema != "" {
		against = value(t, []byte(schema))
	}
	s, faults := scope.ParseScope(value(t, []byte(text)), against)
	if len(faults) > 0 {
		t.Fatalf("scope %s: %v", text, faults)
	}
	return s
}

// Secrets of every kind, none of which may come into a body.
const (
	headerSecret  = "Bearer h3ader-secret"
	queryToken    = "qu3ry-token"
	signingSecret = "whsec_c2lnbmluZy1zM2NyZXQtc2lnbmluZw=="
)

// message is a change of a Norce order with that document, and the deliveries' view of it, as plan and store make them.
func message(t testing.TB, format string, document []byte) wire.Message {
	t.Helper()
	notifications := []dispatcher.Notification{{
		// wire.md §B.2, the OpenAPI form.
		ID: "ocGooDddTOjKOuFmNnkEozEpfuTh", AdapterID: "jetshop_adapter", Reference: "PuXCudQEiWTOHvquGGolFUVOuy",
		Description: "Export payment information to Jetshop when order has been completed.",
		URL:         "{configuration.adapter.internalUrl}/api/v1/callbacks/orders/{order.id}/specific-callback", SpelledInvoke: true,
		Version: "v0", Method: "POST", Scope: rule(t, `"/state/currentStatus"`, `{"const": "completed"}`), Format: format,
	}, {
		// wire.md §B.1, the guide's form, with all that is secret.
		ID: "n2", URL: "https://erp.example.com/api/orders/import?token=" + queryToken + "&mode=" + queryToken, Method: "POST",
		Headers: []dispatcher.Header{{Name: "Authorization", Value: headerSecret}},
		Scope:   rule(t, `{"state":["completed"]}`, ""),
		Secrets: []dispatcher.SigningSecret{{Secret: signingSecret}}, Signing: dispatcher.SigningStandardWebhooks, Format: format,
	}}
	created := time.Date(2019, 8, 24, 14, 15, 22, 0, time.UTC)
	before := dispatcher.Order{Merchant: "norce", ID: "o_yClTSySjyAuuBjmiBlHCjuEcTf", Channel: "1", Version: 2,
		Document: value(t, []byte(`{"state":{"currentStatus":"accepted"}}`)), Created: created, Modified: created}
	change, changed := dispatcher.NewChange(before, value(t, document), "", created.Add(90*time.Second+382*time.Millisecond))
	if !changed {
		t.Fatal("the document is no change")
	}
	snapshot := dispatcher.Snapshot{Order: change.Order}
	for _, n := range notifications {
		snapshot.Notifications = append(snapshot.Notifications, n.Public())
	}
	planned, err := dispatcher.Plan(t.Context(), change, notifications)
	if err != nil {
		t.Fatal(err)
	}
	if len(planned) == 0 { // a hostile order has no state; the format gets a delivery all the same
		order := change.Order
		planned = []dispatcher.Delivery{{Merchant: order.Merchant, Channel: order.Channel, OrderID: order.ID,
			OrderVersion: order.Version, NotificationID: notifications[0].ID, Format: format}}
	}
	planned[0].ID = deliveryID // the derived one differs with every change
	return wire.Message{Delivery: planned[0], Snapshot: snapshot}
}

const deliveryID = "07f1ac87409724bb8640a0a049719e2d"

// with is the message as a notification with these options gets it; "" is none.
func with(t testing.TB, m wire.Message, options string) wire.Message {
	t.Helper()
	m.Delivery.Options = scope.Value{}
	if options != "" {
		m.Delivery.Options = value(t, []byte(options))
	}
	if faults := format(t, m.Delivery.Format).CheckOptions(m.Delivery.Options); len(faults) > 0 {
		t.Fatalf("%s: options %s: %v", m.Delivery.Format, options, faults)
	}
	return m
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares a body with the file of that name.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), append(body, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); string(body)+"\n" != string(want) {
		t.Errorf("%s\n got %s\nwant %s", name, body, want)
	}
}

func format(t testing.TB, name string) wire.Format {
	t.Helper()
	f, err := wire.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func render(t testing.TB, f wire.Format, m wire.Message) wire.Rendered {
	t.Helper()
	r, err := f.Render(m)
	if err != nil {
		t.Fatalf("%s: %v", f.Name(), err)
	}
	return r
}
