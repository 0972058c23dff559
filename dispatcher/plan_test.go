package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// plan is Plan for who waits for it.
func plan(t testing.TB, c dispatcher.Change, all []dispatcher.Notification) []dispatcher.Delivery {
	t.Helper()
	owed, err := dispatcher.Plan(t.Context(), c, all)
	if err != nil {
		t.Fatal(err)
	}
	return owed
}

// notification is a plain one for that scope.
func notification(t testing.TB, id, text string) dispatcher.Notification {
	t.Helper()
	return dispatcher.Notification{ID: id, Scope: rule(t, text), Format: "norce", Ordering: dispatcher.OrderingStrict}
}

func TestPlanFiresOnceWithEveryKey(t *testing.T) {
	t.Parallel()
	c := change(t, `{"state":{"currentStatus":"accepted"},"payments":[],"cart":{"n":1}}`,
		`{"state":{"currentStatus":"completed"},"payments":[{"id":1}],"cart":{"n":1.0}}`, "")
	all := notification(t, "n1", `{"cart":true,"payment":true,"state":["declined","completed"]}`)
	got := plan(t, c, []dispatcher.Notification{all})
	if len(got) != 1 {
		t.Fatalf("%d deliveries, want one", len(got))
	}
	// The cart did not change by meaning.
	if want := []string{"state.completed", "payment"}; !slices.Equal(got[0].Scope, want) {
		t.Errorf("scope %v, want %v", got[0].Scope, want)
	}
	if len(got[0].Evidence) != 2 {
		t.Fatalf("evidence %+v, want one for each key", got[0].Evidence)
	}
	for i, want := range [][4]string{
		{"state.completed", "/state/currentStatus", `"accepted"`, `"completed"`},
		{"payment", "/payments", `[]`, `[{"id":1}]`},
	} {
		e := got[0].Evidence[i]
		if have := [4]string{e.Scope, e.Pointer, string(e.Before.JSON()), string(e.After.JSON())}; have != want || e.Truncated {
			t.Errorf("evidence %d: %v (truncated %v), want %v", i, have, e.Truncated, want)
		}
	}
}

func TestPlanChoosesAmongNotifications(t *testing.T) {
	t.Parallel()
	const before, after = `{"state":{"currentStatus":"accepted"}}`, `{"state":{"currentStatus":"completed"},"x":1}`
	echo := func(actors ...string) dispatcher.Notification {
		n := notification(t, "n", `{"state":["*"]}`)
		n.ExcludeActors = actors
		return n
	}
	stopped := notification(t, "n", `{"state":["*"]}`)
	stopped.Stopped = noon
	byPointer := func(schema ...string) dispatcher.Notification {
		return dispatcher.Notification{ID: "n", Scope: rule(t, `"/state/currentStatus"`, schema...)}
	}
	for _, row := range []struct {
		name  string
		n     dispatcher.Notification
		actor string
		fires bool
	}{
		{"any state", notification(t, "n", `{"state":["*"]}`), "", true},
		{"another state", notification(t, "n", `{"state":["accepted"]}`), "", false},
		{"another part", notification(t, "n", `{"payment":true}`), "", false},
		{"pointer", byPointer(), "", true},
		{"pointer, schema holds", byPointer(`{"const":"completed"}`), "", true},
		{"pointer, schema does not hold", byPointer(`{"const":"accepted"}`), "", false},
		{"stopped by a 410", stopped, "", false},
		{"own change", echo("pim", "erp"), "erp", false},
		{"another's change", echo("erp"), "pim", true},
		{"actors differ by case", echo("erp"), "ERP", true},
		{"nobody said who made the change", echo("erp"), "", true},
		{"nobody cannot be excluded", echo(""), "", true},
		{"no scope at all", dispatcher.Notification{ID: "n"}, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := plan(t, change(t, before, after, row.actor), []dispatcher.Notification{row.n}); len(got) > 0 != row.fires {
				t.Errorf("fires = %v, want %v", !row.fires, row.fires)
			}
		})
	}
}

// patience is a context that ends when it was asked so many times.
type patience struct {
	context.Context
	left int
}

func (p *patience) Err() error {
	if p.left--; p.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestPlanGivesUpWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	c := change(t, `{"cart":1}`, `{"cart":2}`, "")
	var all []dispatcher.Notification
	for range 100 {
		all = append(all, notification(t, "n", `{"cart":true}`))
	}
	for _, left := range []int{0, 50} {
		ctx := &patience{t.Context(), left}
		if owed, err := dispatcher.Plan(ctx, c, all); owed != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d looks before the end: %d deliveries, %v", left, len(owed), err)
		}
		if ctx.left != -1 {
			t.Errorf("it went on for %d notifications", -1-ctx.left)
		}
	}
}

// However many notifications have costly schemas, a change takes about as long as one: those that cannot be paid for fire.
func TestPlanHasOneBudgetForAllSchemas(t *testing.T) {
	t.Parallel()
	// A schema takes 2048 times as long for this text as for a small one.
	c := change(t, `{"a":0}`, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`, "")
	never := rule(t, `"/a"`, `{"allOf":[`+strings.Repeat(`{"title":"t"},`, 100)+`{}],"not":{}}`)
	all := make([]dispatcher.Notification, 800)
	for i := range all {
		all[i] = dispatcher.Notification{ID: fmt.Sprint(i), Scope: never}
	}
	owed := plan(t, c, all)
	if len(owed) < 790 || len(owed) == 800 || owed[0].NotificationID == "0" {
		t.Errorf("%d of 800 fired, want all but the first few", len(owed))
	}
	again := plan(t, c, all)
	if !reflect.DeepEqual(owed, again) {
		t.Errorf("planned twice, %d and %d fired", len(owed), len(again))
	}
}

func TestPlanPinsWhatTheDeliveryNeeds(t *testing.T) {
	t.Parallel()
	c := change(t, `{"cart":1}`, `{"cart":2}`, "pim")
	n := notification(t, "n1", `{"cart":true}`)
	n.AdapterID, n.Reference, n.Format, n.Options = "erp", "export", "other", value(t, `{"a":1.0}`)
	n.Ordering, n.ExpiresAfter = dispatcher.OrderingLatest, dispatcher.Duration(time.Hour)
	n.Headers = []dispatcher.Header{{Name: "X-Key", Value: "s3cret"}}
	got := plan(t, c, []dispatcher.Notification{n})
	want := dispatcher.Delivery{
		ID:       dispatcher.DeliveryID(dispatcher.OrderRef{Merchant: "acme", OrderID: "1001"}, c.ID, "n1"),
		Merchant: "acme", Channel: "web", OrderID: "1001", OrderVersion: 7, ChangeID: c.ID, NotificationID: "n1",
		AdapterID: "erp", Reference: "export", Scope: []string{"cart"}, Format: "other", Options: n.Options,
		Ordering: dispatcher.OrderingLatest, Created: noon, ExpiresAt: noon.Add(time.Hour),
		Status: dispatcher.StatusPending, NextTrigger: dispatcher.TriggerAutomatic, Generation: 1,
		Evidence: []dispatcher.Evidence{{Scope: "cart", Pointer: "/cart", Before: value(t, `{"cart":1}`).Member("cart"),
			After: c.Order.Document.Member("cart")}},
	}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	n.ExpiresAfter = 0
	if got := plan(t, c, []dispatcher.Notification{n}); !got[0].ExpiresAt.IsZero() {
		t.Errorf("expires at %v, want never", got[0].ExpiresAt)
	}
}

func TestPlanIsPure(t *testing.T) {
	t.Parallel()
	c := change(t, "", `{"state":{"currentStatus":"checkout"},"cart":{"n":1},"customer":{"name":"A"}}`, "")
	all := []dispatcher.Notification{
		notification(t, "b", `{"cart":true}`), notification(t, "a", `{"state":["*"],"cart":true}`), notification(t, "c", `{"customer":true}`),
	}
	first := plan(t, c, all)
	if second := plan(t, c, all); !reflect.DeepEqual(first, second) {
		t.Errorf("planned twice:\n%+v\n%+v", first, second)
	}
	var order []string
	ids := map[string]bool{}
	for _, d := range first {
		order = append(order, d.NotificationID)
		ids[d.ID] = true
	}
	if !slices.Equal(order, []string{"b", "a", "c"}) || len(ids) != 3 {
		t.Errorf("deliveries to %v with %d ids, want those of the notifications in their order, each with its own id", order, len(ids))
	}
}

// "A first PUT is a change from nothing": what is nothing in the first version has not changed.
func TestPlanOfAFirstVersion(t *testing.T) {
	t.Parallel()
	c := change(t, "", `{"state":{"currentStatus":"checkout"},"payments":[],"cart":{}}`, "")
	all := []dispatcher.Notification{
		notification(t, "state", `{"state":["checkout"]}`), notification(t, "payment", `{"payment":true}`),
		notification(t, "cart", `{"cart":true}`), notification(t, "customer", `{"customer":true}`), notification(t, "whole", `""`),
	}
	got := plan(t, c, all)
	if len(got) != 2 || got[0].NotificationID != "state" || got[1].NotificationID != "whole" {
		t.Fatalf("%+v, want deliveries to state and whole", got)
	}
	if e := got[0].Evidence[0]; !e.Before.IsAbsent() || string(e.After.JSON()) != `"checkout"` || got[0].OrderVersion != 1 {
		t.Errorf("version %d, before %s, after %s", got[0].OrderVersion, e.Before.JSON(), e.After.JSON())
	}
	empty := change(t, "", `{}`, "")
	if got := plan(t, empty, all); len(got) != 0 {
		t.Errorf("an empty first version fires %+v", got)
	}
}

func TestPlanBoundsEvidence(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` } // n bytes with its quotes
	for _, row := range []struct {
		before, after         string
		keepsBefore, keepsNow bool
	}{
		{text(512), text(511), true, true},
		{text(513), text(512), false, true},
		{text(511), text(513), true, false},
		{text(600), text(513), false, false},
		{`null`, text(513), true, false},
	} {
		c := change(t, `{"cart":`+row.before+`}`, `{"cart":`+row.after+`}`, "")
		e := plan(t, c, []dispatcher.Notification{notification(t, "n", `{"cart":true}`)})[0].Evidence[0]
		if e.Truncated != (!row.keepsBefore || !row.keepsNow) || !e.Before.IsAbsent() != row.keepsBefore || !e.After.IsAbsent() != row.keepsNow {
			t.Errorf("%d and %d bytes: before %d, after %d bytes, truncated %v", len(row.before), len(row.after),
				len(e.Before.JSON()), len(e.After.JSON()), e.Truncated)
		}
	}
}

func TestNewChange(t *testing.T) {
	t.Parallel()
	before := order(t, 6, `{"a":10,"b":{"c":"x","d":null},"e":[1,2]}`)
	for _, row := range []struct {
		text, changed string // "-": no change
	}{
		{`{"a":10,"b":{"c":"x","d":null},"e":[1,2]}`, "-"},
		{` {"e":[1.0,2e0],"b":{"c":"\u0078"},"a":1e1} `, "-"}, // order of members, spelling, null and absent
		{`{"a":10,"b":{"c":"x","d":[]},"e":[1,2],"f":{}}`, "-"},
		{`{"a":10,"b":{"c":"x"},"e":[2,1]}`, "/e"}, // an array is one value
		{`{"a":"10","b":{"c":"x","d":0},"e":[1,2]}`, "/a /b/d"},
		{`{}`, "/a /b/c /e"},
	} {
		c, changed := dispatcher.NewChange(before, value(t, row.text), "erp", noon)
		if changed != (row.changed != "-") {
			t.Errorf("%s: change = %v, want %v", row.text, changed, !changed)
		}
		if !changed {
			if !reflect.DeepEqual(c, dispatcher.Change{}) {
				t.Errorf("%s: no change, and yet %+v", row.text, c)
			}
			continue
		}
		var got []string
		for _, p := range c.Changed {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != row.changed {
			t.Errorf("%s: changed %v, want %s", row.text, got, row.changed)
		}
		o := c.Order
		if o.Version != 7 || !o.Modified.Equal(noon) || !o.Created.Equal(before.Created) || c.Actor != "erp" ||
			!scope.Equal(c.Before, before.Document) || string(o.Document.JSON()) != row.text || o.Ref() != before.Ref() || o.Channel != "web" {
			t.Errorf("%s: %+v", row.text, c)
		}
	}
	if before.Version != 6 || !before.Modified.Before(noon) {
		t.Error("the order before was changed, too")
	}
}

func TestNewChangeOfAFirstVersion(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":1}`, `{}`} { // an empty document is a version, though nothing in it changed
		c, changed := dispatcher.NewChange(order(t, 0, ""), value(t, text), "", noon)
		if !changed || c.Order.Version != 1 || !c.Order.Created.Equal(noon) || !c.Order.Modified.Equal(noon) || !c.Before.IsAbsent() {
			t.Errorf("%s: %v, %+v", text, changed, c)
		}
		if len(c.ID) != 32 {
			t.Errorf("change id %q", c.ID)
		}
	}
}
