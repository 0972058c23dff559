package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func TestClaimStates(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.one(t, order("1"), dispatcher.OrderingStrict)
		second, ready := h.put(t, order("1"), status("paid"))
		if len(ready) != 0 {
			t.Fatalf("the second of a lane may begin: %v", ready)
		}
		expect := func(what string, task dispatcher.Task, want store.ClaimState) {
			t.Helper()
			h.unchanged(t, func() {
				if c := h.claim(t, task); c.State != want {
					t.Errorf("%s: %s, want %s", what, c.State, want)
				}
			})
		}
		unknown := first.Task()
		unknown.DeliveryID = dispatcher.DeliveryID(order("1"), "no change", "n1")
		expect("no such delivery", unknown, store.Gone)
		expect("behind the head", second[0].Task(), store.Waiting)
		older, newer := first.Task(), first.Task()
		older.Generation, newer.Generation = 0, 2
		expect("an older generation", older, store.Stale)
		expect("a newer generation, which nobody made", newer, store.Stale)

		held := h.claimed(t, first.Task())
		if !held.ClaimedAt.Equal(h.clock.Now()) || held.Status != dispatcher.StatusPending {
			t.Errorf("claimed: %+v", held.Delivery)
		}
		expect("claimed by somebody", first.Task(), store.Busy)
		h.clock.advance(lease - time.Millisecond)
		expect("the lease has a millisecond left", first.Task(), store.Busy)
		h.record(t, h.attempt(held, delivered))
		expect("settled", first.Task(), store.Settled)
		invariants(t, h.plain)
	})
}

func TestClaimBringsWhatAnAttemptNeeds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		n := notification(t, "n1", "latest")
		n.Headers = []dispatcher.Header{{Name: "X-API-Key", Value: "key"}}
		n.AdapterID, n.Reference = "erp", "export"
		n.ExpiresAfter = dispatcher.Duration(time.Hour)
		owed, _ := h.put(t, order("1"), status("created"), n)
		h.clock.advance(time.Second)
		newest, _ := h.put(t, order("1"), status("paid"))

		c := h.claim(t, owed[0].Task())
		if c.State != store.Claimed || !c.Lost.IsZero() || c.Newest != newest[0].ID {
			t.Fatalf("claim: %+v", c)
		}
		if c.Notification == nil || !c.Notification.SameContent(n) {
			t.Errorf("notification: %+v", c.Notification)
		}
		if c.Snapshot == nil || string(c.Snapshot.Order.Document.JSON()) != status("created") || c.Snapshot.Order.Version != 1 ||
			!c.Snapshot.Order.Created.Equal(began) || len(c.Snapshot.Notifications) != 1 {
			t.Errorf("snapshot: %+v", c.Snapshot)
		}
		want := owed[0]
		got := c.Held.Delivery
		if got.ID != want.ID || got.Ref() != want.Ref() || got.Channel != "web" || got.OrderVersion != 1 || got.ChangeID != want.ChangeID ||
			got.NotificationID != "n1" || got.AdapterID != "erp" || got.Reference != "export" || !slices.Equal(got.Scope, []string{"state.created"}) ||
			got.Format != want.Format || got.Ordering != "latest" || !got.Created.Equal(began) || !got.ExpiresAt.Equal(began.Add(time.Hour)) ||
			got.NextTrigger != dispatcher.TriggerAutomatic || got.Generation != 1 || len(got.Evidence) != 1 ||
			string(got.Evidence[0].After.JSON()) != `"created"` || got.Evidence[0].Pointer != "/state/currentStatus" {
			t.Errorf("delivery:\n got %+v\nwant %+v", got, want)
		}
	})
}

func TestClaimOfARemovedNotification(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		if _, err := h.Commit(t.Context(), store.Commit{State: h.load(t, order("1")), Remove: []string{"n1"}}); err != nil {
			t.Fatal(err)
		}
		if c := h.claim(t, d.Task()); c.State != store.Claimed || c.Notification != nil || c.Snapshot == nil {
			t.Errorf("claim: %+v", c)
		}
	})
}

func TestClaimAfterTheLeaseTellsOfTheLostAttempt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		lost := h.claimed(t, d.Task())
		h.clock.advance(lease)
		c := h.claim(t, d.Task())
		if c.State != store.Claimed || !c.Lost.Equal(lost.ClaimedAt) || !c.Held.ClaimedAt.Equal(h.clock.Now()) {
			t.Fatalf("claim: %+v", c)
		}
		// The worker that was thought dead lives: its request went out, so its Event is kept, and nothing else of it.
		if moved := h.record(t, h.attempt(lost, delivered)); !moved.Late {
			t.Errorf("the first worker is told %+v", moved)
		}
		if now := h.read(t, d.ID); now.Status != dispatcher.StatusPending || !now.ClaimedAt.Equal(c.Held.ClaimedAt) {
			t.Errorf("the second worker's claim became %+v", now.Delivery)
		}
		if moved := h.record(t, h.attempt(c.Held, delivered)); moved.Late {
			t.Error("the second worker is told that it is late")
		}
		invariants(t, h.plain)
	})
}

// What a lost answer of a claim leaves to go-redis, which sends the same again: that it is ours, while nobody has renewed or taken it;
// another's claim of the same millisecond is not; and who took what had been claimed before cannot be told since when.
func TestClaimWhoseAnswerWasLost(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var sent lastScript
		h.rdb.AddHook(&sent)
		resend := func() []any {
			t.Helper()
			var answer []any
			h.unchanged(t, func() {
				var err error
				if answer, err = redis.NewCmdResult(h.plain.Do(t.Context(), sent.args...).Result()).Slice(); err != nil {
					t.Fatal(err)
				}
			})
			return answer
		}
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		h.claimed(t, d.Task())
		mine := sent.args
		if got := resend(); got[0] != "ok" || claimedBefore(got) {
			t.Errorf("sent again: %q", got)
		}
		if c := h.claim(t, d.Task()); c.State != store.Busy {
			t.Errorf("another's in the same millisecond: %s", c.State)
		}
		if err := h.Renew(t.Context(), lease, d.ID); err != nil {
			t.Fatal(err)
		}
		sent.args = mine
		if got := resend(); got[0] != "busy" {
			t.Errorf("sent again after it was renewed, so its answer was not lost: %q", got)
		}
		h.clock.advance(lease)
		if c := h.claim(t, d.Task()); c.Lost.IsZero() {
			t.Error("an earlier attempt was lost, and the claim does not tell")
		}
		if got := resend(); got[0] != "busy" {
			t.Errorf("sent again over an earlier claim: %q, and nobody would tell of the lost attempt", got)
		}
	})
}

func TestRenewKeepsTheLease(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		settled := h.one(t, order("2"), dispatcher.OrderingStrict)
		h.deliver(t, settled.Task(), delivered)
		h.claimed(t, d.Task())
		h.clock.advance(lease - time.Second)
		if err := h.Renew(t.Context(), lease, d.ID, settled.ID, "no delivery id"); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(lease - time.Second)
		if c := h.claim(t, d.Task()); c.State != store.Busy {
			t.Errorf("renewed: %s", c.State)
		}
		h.clock.advance(time.Second)
		if c := h.claim(t, d.Task()); c.State != store.Claimed {
			t.Errorf("after the renewed lease: %s", c.State)
		}
		invariants(t, h.plain) // the settled one did not come back into due
	})
}

func lane(t *testing.T, h *house, ordering dispatcher.Ordering) (lane []dispatcher.Delivery, ready []dispatcher.Task) {
	t.Helper()
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		var put []dispatcher.Notification
		if i == 0 {
			put = append(put, notification(t, "n1", ordering))
		}
		owed, begin := h.put(t, order("lane"), status(name), put...)
		lane, ready = append(lane, owed...), append(ready, begin...)
		h.clock.advance(time.Second)
	}
	return lane, ready
}

func TestLaneReleasesExactlyTheNext(t *testing.T) {
	for _, ordering := range []dispatcher.Ordering{"strict", "latest"} { // latest drops in the queue, not in the store
		t.Run(string(ordering), func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				all, ready := lane(t, h, ordering)
				if len(all) != 5 || len(ready) != 1 || ready[0].DeliveryID != all[0].ID {
					t.Fatalf("ready at first: %v", ready)
				}
				for i, d := range all {
					for _, behind := range all[i+1:] {
						if c := h.claim(t, behind.Task()); c.State != store.Waiting {
							t.Fatalf("a delivery behind the head: %s", c.State)
						}
					}
					moved, _ := h.deliver(t, d.Task(), retried) // not terminal: releases nobody
					if moved.Next != "" {
						t.Errorf("a failed attempt of %d released %s", i, moved.Next)
					}
					want := ""
					if i+1 < len(all) {
						want = all[i+1].ID
					}
					moved, _ = h.deliver(t, d.Task(), []dispatcher.Verdict{delivered, givenUp}[i%2])
					if moved.Next != want {
						t.Errorf("%d released %q, want %q", i, moved.Next, want)
					}
					invariants(t, h.plain)
				}
			})
		})
	}
}

func TestOrderingNoneReleasesAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, ready := lane(t, h, "none")
		if len(ready) != len(all) {
			t.Fatalf("%d of %d may begin", len(ready), len(all))
		}
		for _, task := range slices.Backward(ready) {
			if moved, _ := h.deliver(t, task, delivered); moved.Next != "" {
				t.Errorf("released %s, which began long ago", moved.Next)
			}
		}
		invariants(t, h.plain)
	})
}

func TestSettlingInTheMiddleOfALaneReleasesNobody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "latest")
		between, err := h.LaneBetween(t.Context(), order("lane"), "n1")
		if want := []string{all[1].ID, all[2].ID, all[3].ID}; err != nil || !slices.Equal(between, want) {
			t.Fatalf("between = %v, %v; want %v", between, err, want)
		}
		for _, id := range []string{all[2].ID, all[4].ID} {
			moved, err := h.Settle(t.Context(), h.read(t, id), dispatcher.StatusSuperseded, dispatcher.ReasonSuperseded)
			if err != nil || moved.Next != "" || moved.Late {
				t.Errorf("settling one that waits: %+v, %v", moved, err)
			}
			invariants(t, h.plain)
		}
		moved, _ := h.deliver(t, all[0].Task(), delivered)
		if moved.Next != all[1].ID {
			t.Errorf("the head released %q, want %s", moved.Next, all[1].ID)
		}
		if moved, _ = h.deliver(t, all[1].Task(), delivered); moved.Next != all[3].ID {
			t.Errorf("released %q, want the one behind the superseded, %s", moved.Next, all[3].ID)
		}
		invariants(t, h.plain)
	})
}

func TestLanesDoNotWaitForOtherLanes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, ready := h.put(t, order("1"), status("created"), notification(t, "n1", "strict"), notification(t, "n2", "strict"))
		if len(ready) != 2 {
			t.Fatalf("%d may begin", len(ready))
		}
		if _, ready = h.put(t, order("1"), status("paid")); len(ready) != 0 {
			t.Fatalf("%d of the second change may begin", len(ready))
		}
		h.claimed(t, h.one(t, order("2"), "strict").Task())
		invariants(t, h.plain)
	})
}

func TestWaitsPutsOffOnlyTheOneThatWaits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		h.clock.advance(time.Hour)
		for i, want := range []bool{false, true} {
			if waits, err := h.Waits(t.Context(), all[i]); err != nil || waits != want {
				t.Errorf("Waits(%d) = %v, %v", i, waits, err)
			}
		}
		overdue, err := h.Overdue(t.Context(), 10)
		if err != nil || len(overdue) != 4 || slices.Contains(overdue, all[1].ID) {
			t.Errorf("overdue: %v, %v; want all but the one that was put off", overdue, err)
		}
	})
}

func TestDeliveryTellsTheMerchant(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		h.deliver(t, all[0].Task(), retried)
		h.clock.advance(time.Minute)
		h.deliver(t, all[0].Task(), delivered)
		got, attempts, err := h.Delivery(t.Context(), "acme", all[0].ID)
		if err != nil || got.Status != dispatcher.StatusDelivered || len(attempts) != 2 {
			t.Fatalf("%+v with %d attempts, %v", got.Delivery, len(attempts), err)
		}
		if attempts[0].Outcome != dispatcher.Failed || attempts[0].Number != 1 || attempts[1].Outcome != dispatcher.Delivered || attempts[1].Number != 2 {
			t.Errorf("attempts, oldest first: %+v", attempts)
		}
		for i, want := range []dispatcher.Status{"delivered", "pending", "waiting", "waiting", "waiting"} {
			if got, _, err := h.Delivery(t.Context(), "acme", all[i].ID); err != nil || got.Status != want {
				t.Errorf("delivery %d: %s, %v; want %s", i, got.Status, err, want)
			}
		}
		for what, id := range map[string]string{
			"another merchant's": all[0].ID, "unknown": dispatcher.DeliveryID(order("lane"), "x", "y"), "malformed": "x",
			"a shard that is none": "ff" + all[0].ID[2:], "empty": "",
		} {
			if _, _, err := h.Delivery(t.Context(), "other", id); !errors.Is(err, dispatcher.ErrNotFound) {
				t.Errorf("%s: %v; want ErrNotFound", what, err)
			}
		}
	})
}
