package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

func TestUnknownOrderIsNotKnown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if state := h.load(t, order("1")); state.Known() || state.Order.Exists() || len(state.Notifications) != 0 {
			t.Errorf("an order that nobody wrote: %+v", state)
		}
		h.one(t, order("1"), dispatcher.OrderingStrict)
		if state := h.load(t, order("1")); !state.Known() || !state.Order.Exists() {
			t.Errorf("an order that was written is not known: %+v", state)
		}
		other := dispatcher.OrderRef{Merchant: "other", OrderID: "1"}
		if h.load(t, other).Known() {
			t.Error("another merchant's order of the same id is known")
		}
	})
}

func TestDocumentIsKeptByteForByte(t *testing.T) {
	const document = `{"id":"Ä&<>\u2028","total":10.00,"big":12345678901234567890.5,"exp":1E+2,"minus":-0,` +
		`"empty":{},"none":null,"url":"https://a.example/?x=1&y=<2>","state":{"currentStatus":"created"}}`
	each(t, func(t *testing.T, h *house) {
		ref := order("bytes")
		n := notification(t, "n1", dispatcher.OrderingStrict)
		n.Options = parse(t, `{"a":1.50,"b":"x&y"}`)
		n.Scope = parseScope(t, `{"state":["created","a&b"]}`)
		n.Reference, n.Description = "r&d", "<b>"
		owed, _ := h.put(t, ref, document, n)
		state := h.load(t, ref)
		if got := string(state.Order.Document.JSON()); got != document {
			t.Errorf("order:\n got %s\nwant %s", got, document)
		}
		got := state.Notifications[0]
		if !got.SameContent(n) || string(got.Options.JSON()) != `{"a":1.50,"b":"x&y"}` {
			t.Errorf("notification:\n got %+v\nwant %+v", got, n)
		}
		c := h.claim(t, owed[0].Task())
		if got := string(c.Snapshot.Order.Document.JSON()); got != document {
			t.Errorf("snapshot:\n got %s\nwant %s", got, document)
		}
		rule := c.Snapshot.Notifications[0].Scope
		if got := string(rule.JSON()); got != `{"state":["created","a&b"]}` {
			t.Errorf("scope in the snapshot: %s", got)
		}
		if options := string(c.Held.Options.JSON()); options != `{"a":1.50,"b":"x&y"}` {
			t.Errorf("options of the delivery: %s", options)
		}
		invariants(t, h.plain)
	})
}

func TestNotificationRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		full := notification(t, "full", dispatcher.OrderingLatest)
		full.AdapterID, full.Reference, full.Description, full.Version = "erp", "export", "to the ERP", "v1"
		full.URL = "https://erp.example.com/cb?token=t0ken&a=b"
		full.SpelledInvoke = true
		full.Headers = []dispatcher.Header{{Name: "X-API-Key", Value: "k&y"}, {Name: "X-Other", Value: "o"}}
		full.ExcludeActors = []string{"erp"}
		full.Signing = dispatcher.SigningStandardWebhooks
		full.Secrets = []dispatcher.SigningSecret{{Secret: "whsec_c2VjcmV0", Mark: "m1"}, {Secret: "whsec_b2xk", Mark: "m0", Until: began}, {Secret: "whsec_b2xkZXI", Until: began}}
		full.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{1e9, 2e9}}
		full.ExpiresAfter = dispatcher.Duration(retention)
		full.Stopped = began.Add(1e9)
		full.Handshake, full.Consent = true, dispatcher.Consent{At: began.Add(2e9), To: "digest"}
		rule, faults := scope.ParseScope(parse(t, `"/state/currentStatus"`), parse(t, `{"const":"completed"}`))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		full.Scope = rule
		plain := notification(t, "plain", dispatcher.OrderingNone)
		plain.Created = began.Add(1000) // 1 µs later: the order of registration
		h.commit(t, store.Commit{State: h.load(t, order("1")), Channel: "web", Put: []dispatcher.Notification{plain, full}})
		state := h.load(t, order("1"))
		if !state.Known() || state.Order.Exists() || state.Order.Channel != "web" {
			t.Errorf("an order of which only notifications are known: %+v", state.Order)
		}
		got := state.Notifications
		if len(got) != 2 || got[0].ID != "full" || got[1].ID != "plain" {
			t.Fatalf("in the order of registration: %+v", got)
		}
		if !got[0].SameContent(full) || !got[0].Created.Equal(full.Created) || !got[0].Stopped.Equal(full.Stopped) ||
			!slices.Equal(got[0].Secrets, full.Secrets) || got[0].Consent != full.Consent {
			t.Errorf("got %+v\nwant %+v", got[0], full)
		}
		if !got[1].SameContent(plain) || !got[1].Stopped.IsZero() {
			t.Errorf("got %+v\nwant %+v", got[1], plain)
		}
	})
}

func TestNotificationsAheadOfTheFirstDocument(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ref := order("ahead")
		commit := store.Commit{State: h.load(t, ref), Channel: "pos", Put: []dispatcher.Notification{notification(t, "n1", "strict")}}
		done, err := h.Commit(t.Context(), commit)
		if err != nil || len(done.Ready) != 0 {
			t.Fatalf("a registration makes %d tasks, %v", len(done.Ready), err)
		}
		owed, ready := h.put(t, ref, status("created"))
		if len(owed) != 1 || len(ready) != 1 || owed[0].Channel != "pos" || owed[0].OrderVersion != 1 {
			t.Errorf("the first document owes %+v", owed)
		}
		invariants(t, h.plain)
	})
}

func TestReplaceAndRemoveNotification(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ref := order("1")
		h.put(t, ref, status("created"), notification(t, "n1", "strict"), notification(t, "n2", "strict"))
		replaced := notification(t, "n1", "none")
		replaced.URL = "https://other.example.com/"
		state := h.load(t, ref)
		if _, err := h.Commit(t.Context(), store.Commit{State: state, Put: []dispatcher.Notification{replaced}, Remove: []string{"n2", "never"}}); err != nil {
			t.Fatal(err)
		}
		now := h.load(t, ref)
		if len(now.Notifications) != 1 || now.Notifications[0].URL != replaced.URL || now.Notifications[0].Ordering != "none" {
			t.Errorf("notifications: %+v", now.Notifications)
		}
		if now.Order.Version != 1 || string(now.Order.Document.JSON()) != status("created") || now.Order.Channel != "web" {
			t.Errorf("the order changed with them: %+v", now.Order)
		}
		if _, known := now.Notification("n2"); known {
			t.Error("n2 is found though it was removed")
		}
		invariants(t, h.plain)
	})
}

func TestTokenConflictWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		unknown := h.load(t, order("1"))
		h.one(t, order("1"), dispatcher.OrderingStrict)
		seen := h.load(t, order("1"))
		h.put(t, order("1"), status("paid"))

		newer := notification(t, "n9", "strict")
		for name, commit := range map[string]store.Commit{
			"first write, though somebody was first": h.planned(t, unknown, status("shipped"), newer),
			"document":                               h.planned(t, seen, status("shipped"), newer),
			"notifications only":                     {State: seen, Put: []dispatcher.Notification{newer}, Remove: []string{"n1"}},
			"removal only":                           {State: seen, Remove: []string{"n1"}},
		} {
			h.unchanged(t, func() {
				if _, err := h.Commit(t.Context(), commit); !errors.Is(err, dispatcher.ErrConflict) {
					t.Errorf("%s: %v; want ErrConflict", name, err)
				}
			})
		}
		gone := h.load(t, order("1"))
		if err := h.DeleteOrder(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		h.unchanged(t, func() {
			if _, err := h.Commit(t.Context(), h.planned(t, gone, status("shipped"))); !errors.Is(err, dispatcher.ErrConflict) {
				t.Errorf("onto a deleted order: %v; want ErrConflict", err)
			}
		})
	})
}

// Of many who write at once every one that is told nil has written, and nobody else.
func TestConcurrentCommitsDoNotOverwrite(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const writers = 8
		state := h.load(t, order("1"))
		results := make(chan error, writers)
		for range writers {
			commit := h.planned(t, state, status("created"), notification(t, "n1", "strict"))
			go func() {
				_, err := h.Commit(t.Context(), commit)
				results <- err
			}()
		}
		accepted := 0
		for range writers {
			if err := <-results; err == nil {
				accepted++
			} else if !errors.Is(err, dispatcher.ErrConflict) {
				t.Error(err)
			}
		}
		if open, _, err := h.Backlog(t.Context()); accepted != 1 || open != 1 || err != nil {
			t.Errorf("%d were accepted, %d deliveries are open, %v; want one of each", accepted, open, err)
		}
		invariants(t, h.plain)
	})
}

func TestOrderKeepsItsTimesAndVersion(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(t, order("1"), status("created"))
		later := h.clock.advance(grace)
		h.put(t, order("1"), status("paid"))
		o := h.load(t, order("1")).Order
		if o.Version != 2 || !o.Created.Equal(began) || !o.Modified.Equal(later) || o.Channel != "web" {
			t.Errorf("%+v", o)
		}
		invariants(t, h.plain)
	})
}

func TestStoppedNotificationFiresNoMoreUntilReplaced(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ref := order("1")
		h.one(t, ref, dispatcher.OrderingStrict)
		called, _ := h.load(t, ref).Notification("n1")
		replaced := called
		replaced.URL += "/new"
		if err := h.StopNotification(t.Context(), ref, replaced); err != nil {
			t.Fatal(err)
		}
		if n, _ := h.load(t, ref).Notification("n1"); !n.Stopped.IsZero() {
			t.Error("a 410 of what was called before stopped its replacement")
		}
		for range 2 { // a second 410 finds it stopped already
			if err := h.StopNotification(t.Context(), ref, called); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := h.load(t, ref).Notification("n1"); !n.Stopped.Equal(began) {
			t.Errorf("stopped at %v", n.Stopped)
		}
		if owed, _ := h.put(t, ref, status("paid")); len(owed) != 0 {
			t.Errorf("a stopped notification is owed %d", len(owed))
		}
		if owed, _ := h.put(t, ref, status("shipped"), notification(t, "n1", "strict")); len(owed) != 1 {
			t.Errorf("registered again it is owed %d", len(owed))
		}
		if err := h.StopNotification(t.Context(), order("unknown"), called); err != nil {
			t.Errorf("one that is not there: %v", err)
		}
	})
}

func TestConsentIsKeptForWhatWasAsked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ref, to := order("1"), dispatcher.Consent{At: began, To: "digest"}
		h.one(t, ref, dispatcher.OrderingStrict)
		called, _ := h.load(t, ref).Notification("n1")
		replaced := called
		replaced.URL += "/new"
		for _, row := range []struct {
			called dispatcher.Notification
			want   dispatcher.Consent
		}{{replaced, dispatcher.Consent{}}, {called, to}, {called, to}} {
			if err := h.KeepConsent(t.Context(), ref, row.called, to); err != nil {
				t.Fatal(err)
			}
			if n, _ := h.load(t, ref).Notification("n1"); n.Consent != row.want {
				t.Errorf("%s: %+v, want %+v", row.called.URL, n.Consent, row.want)
			}
		}
	})
}

func TestMergeNotifications(t *testing.T) {
	t.Parallel()
	a, b, c := notification(t, "a", "strict"), notification(t, "b", "strict"), notification(t, "c", "strict")
	replaced := notification(t, "a", "none")
	registered := []dispatcher.Notification{a, b}
	var got []string
	for _, n := range store.MergeNotifications(registered, []dispatcher.Notification{replaced, c}) {
		got = append(got, n.ID+":"+string(n.Ordering))
	}
	if want := []string{"a:none", "b:strict", "c:strict"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if registered[0].Ordering != "strict" {
		t.Error("what was passed in was changed")
	}
}
