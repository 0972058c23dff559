package dispatcher_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// noon is an instant with a fraction below the millisecond, as the clock gives them.
var noon = time.Date(2026, 3, 29, 12, 0, 0, 123_456_789, time.UTC)

func value(t testing.TB, text string) scope.Value {
	t.Helper()
	v, faults := scope.Parse([]byte(text), scope.DefaultLimits)
	if len(faults) > 0 {
		t.Fatalf("%.80s: %v", text, faults)
	}
	return v
}

// rule reads a scope and, where given, its schema.
func rule(t testing.TB, text string, schema ...string) scope.Scope {
	t.Helper()
	var against scope.Value
	if len(schema) > 0 {
		against = value(t, schema[0])
	}
	s, faults := scope.ParseScope(value(t, text), against)
	if len(faults) > 0 {
		t.Fatalf("scope %s: %v", text, faults)
	}
	return s
}

// order is an order at that version, whose document is text.
func order(t testing.TB, version int64, text string) dispatcher.Order {
	t.Helper()
	o := dispatcher.Order{Merchant: "acme", ID: "1001", Channel: "web", Version: version}
	if version > 0 {
		o.Document, o.Created, o.Modified = value(t, text), noon.Add(-time.Hour), noon.Add(-time.Minute)
	}
	return o
}

// change is the change of an order from before ("" for a first version) to after.
func change(t testing.TB, before, after, actor string) dispatcher.Change {
	t.Helper()
	version := int64(6)
	if before == "" {
		version = 0
	}
	c, changed := dispatcher.NewChange(order(t, version, before), value(t, after), actor, noon)
	if !changed {
		t.Fatalf("no change from %s to %s", before, after)
	}
	return c
}

// secrets are the current one and older ones whose time has passed.
func secrets(texts ...dispatcher.Secret) (all []dispatcher.SigningSecret) {
	for i, text := range texts {
		s := dispatcher.SigningSecret{Secret: text}
		if i > 0 {
			s.Until = noon
		}
		all = append(all, s)
	}
	return all
}
