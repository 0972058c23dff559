package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func (h *house) backlog(t tb) (open, overdue int64) {
	t.Helper()
	open, overdue, err := h.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return open, overdue
}

func (h *house) overdue(t tb) []string {
	t.Helper()
	ids, err := h.Overdue(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestOverdueFollowsADeliveryThroughItsLife(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		at := func(what string, late bool) {
			t.Helper()
			_, overdue := h.backlog(t)
			if ids := h.overdue(t); slices.Contains(ids, d.ID) != late || (overdue == 1) != late {
				t.Errorf("%s: overdue %v, counted %d; want late=%v", what, ids, overdue, late)
			}
			next, err := h.NextDue(t.Context())
			if due := !next.IsZero() && !next.After(h.clock.Now()); err != nil || due != late {
				t.Errorf("%s: next due %s, %v; it is %s; want late=%v", what, next, err, h.clock.Now(), late)
			}
		}
		after := func(what string, pause time.Duration) {
			t.Helper()
			h.clock.advance(pause - time.Millisecond)
			at("just before "+what, false)
			h.clock.advance(time.Millisecond)
			at(what, true)
		}
		after("the grace after the commit", grace)
		held := h.claimed(t, d.Task())
		after("the end of the lease", lease)

		moved := h.record(t, h.attempt(held, retried))
		after("the grace after the next attempt was due", dispatcher.DefaultSchedule[0].D()+grace)

		held = h.claimed(t, d.Task())
		to := held.Delivery
		to.ClaimedAt = time.Time{}
		due := h.clock.Now().Add(time.Minute)
		h.record(t, store.Move{From: held, To: to, Due: due}) // no Event, and a due time of the caller's own
		after("the due time that was given", time.Minute)
		if moved.Late {
			t.Error("late")
		}
		if err := h.Defer(t.Context(), d.ID, h.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		after("what it was deferred to", time.Hour)
		h.deliver(t, d.Task(), delivered)
		at("settled", false)
		if open, overdue := h.backlog(t); open != 0 || overdue != 0 {
			t.Errorf("backlog of nothing: %d, %d", open, overdue)
		}
		if err := h.Defer(t.Context(), d.ID, h.clock.Now()); err != nil { // settled between the sweep's look and this
			t.Fatal(err)
		}
		at("settled, then deferred", false)
		invariants(t, h.plain)
	})
}

func TestOverdueIsBoundedPerShardAndOldestFirst(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "none") // one order, one shard
		h.one(t, order("another"), dispatcher.OrderingStrict)
		h.clock.advance(time.Hour)
		ids, err := h.Overdue(t.Context(), 2)
		if err != nil || len(ids) != 3 || !slices.Contains(ids, all[0].ID) || !slices.Contains(ids, all[1].ID) {
			t.Errorf("overdue: %v, %v; want the two oldest of one shard and the one of the other", ids, err)
		}
		if open, overdue := h.backlog(t); open != 6 || overdue != 6 {
			t.Errorf("backlog %d, %d", open, overdue)
		}
	})
}

func TestForget(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		h.clock.advance(time.Hour)
		h.unchanged(t, func() {
			// It was settled when the sweep read it, and reopened since: it must stay in due, or nobody would look after it.
			if err := h.Forget(t.Context(), d.ID); err != nil {
				t.Error(err)
			}
		})
		h.deliver(t, d.Task(), delivered)
		due := fmt.Sprintf("td{s%d}:due", order("1").Shard())
		gone := dispatcher.DeliveryID(order("1"), "gone", "n1")
		for _, id := range []string{d.ID, gone} { // only a fault of ours, or an operator's hand, brings these there
			if err := h.plain.ZAdd(t.Context(), due, zAt(began, id)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if ids := h.overdue(t); len(ids) != 2 {
			t.Fatalf("overdue: %v", ids)
		}
		for _, id := range []string{d.ID, gone} {
			if err := h.Forget(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		invariants(t, h.plain)
	})
}

func TestReadLeavesOutWhatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.one(t, order("1"), "strict"), h.one(t, order("2"), "strict")
		held, err := h.Read(t.Context(), a.ID, dispatcher.DeliveryID(order("1"), "x", "y"), "malformed", "", b.ID)
		if err != nil || len(held) != 2 || held[0].ID != a.ID || held[1].ID != b.ID {
			t.Errorf("%d deliveries, %v", len(held), err)
		}
		if held, err = h.Read(t.Context()); err != nil || len(held) != 0 {
			t.Errorf("of none: %d deliveries, %v", len(held), err)
		}
	})
}

func TestOpenDeliveriesOfAnOrder(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "none")
		h.one(t, order("another"), "strict")
		h.deliver(t, all[2].Task(), delivered)
		h.deliver(t, all[3].Task(), retried)
		open, err := h.OpenDeliveries(t.Context(), order("lane"))
		var ids []string
		for _, d := range open {
			ids = append(ids, d.ID)
		}
		if want := []string{all[0].ID, all[1].ID, all[3].ID, all[4].ID}; err != nil || !slices.Equal(ids, want) {
			t.Errorf("open: %v, %v; want %v", ids, err, want)
		}
		if open, err := h.OpenDeliveries(t.Context(), order("unknown")); err != nil || len(open) != 0 {
			t.Errorf("of an unknown order: %d, %v", len(open), err)
		}
	})
}

func zAt(at time.Time, member string) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: member}
}

func TestAuditOfAnAttemptInFlight(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.claimed(t, h.one(t, order("1"), dispatcher.OrderingStrict).Task())
		for after, overdue := range map[time.Duration]int64{0: 0, lease: 1} {
			h.clock.advance(after)
			a, err := h.Audit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if a.InFlight != 1 || a.Overdue != overdue {
				t.Errorf("%s after the claim %d in flight, %d overdue", after, a.InFlight, a.Overdue)
			}
			h.clock.advance(-after)
		}
	})
}
