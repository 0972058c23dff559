package store_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// following is an attempt's Move that claims the lane's next, too.
func (h *house) following(held store.Held, v dispatcher.Verdict) store.Move {
	m := h.attempt(held, v)
	m.Follow = store.Follow{At: h.clock.Now(), Lease: lease}
	return m
}

// taken is the claim that a Move brought.
func (h *house) taken(t tb, moved store.Moved) store.Claim {
	t.Helper()
	if !moved.Followed() {
		t.Fatalf("nothing was claimed: %+v", moved)
	}
	c, err := h.Take(t.Context(), moved)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheEndOfOneClaimsTheLanesNext(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "latest")
		held := h.claimed(t, all[0].Task())
		for i, d := range all[1:] {
			h.clock.advance(time.Second)
			got := h.taken(t, h.record(t, h.following(held, delivered)))
			invariants(t, h.plain)
			if got.Held.ID != d.ID || !got.Held.ClaimedAt.Equal(h.clock.Now()) || !got.Lost.IsZero() || got.Newest != all[len(all)-1].ID {
				t.Fatalf("after %d: %+v", i, got)
			}
			// It is what a claim of its own would have brought.
			if got.Notification == nil || got.Snapshot == nil || got.Snapshot.Order.Version != d.OrderVersion || got.Notification.ID != d.NotificationID {
				t.Fatalf("after %d: notification %v, snapshot %v", i, got.Notification, got.Snapshot)
			}
			if c := h.claim(t, d.Task()); c.State != store.Busy {
				t.Errorf("a claim of what is claimed: %s", c.State)
			}
			held = got.Held
		}
		if moved := h.record(t, h.following(held, delivered)); moved.Next != "" || moved.Followed() {
			t.Errorf("the last of the lane claimed %q", moved.Next)
		}
		invariants(t, h.plain)
	})
}

func TestOnlyWhatIsToBeAttemptedFirstIsClaimed(t *testing.T) {
	for name, c := range map[string]struct {
		verdict dispatcher.Verdict
		before  func(t *testing.T, h *house, next dispatcher.Delivery)
		next    bool // is released
	}{
		"not while the one before is open": {verdict: retried, before: func(*testing.T, *house, dispatcher.Delivery) {}},
		"not what somebody reopened": {verdict: delivered, next: true, before: func(t *testing.T, h *house, next dispatcher.Delivery) {
			held := h.read(t, next.ID)
			to := held.Delivery
			to.Status, to.Generation = dispatcher.StatusRetrying, 2
			if err := h.Reopen(t.Context(), held, to); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				all, _ := lane(t, h, "strict")
				held := h.claimed(t, all[0].Task())
				c.before(t, h, all[1])
				moved := h.record(t, h.following(held, c.verdict))
				if moved.Followed() || c.next != (moved.Next == all[1].ID) {
					t.Errorf("moved: %+v", moved)
				}
				if c.next {
					if task, err := moved.NextTask(); err != nil || task != h.read(t, all[1].ID).Task() {
						t.Errorf("the next one's task is %+v, %v", task, err)
					}
				}
				invariants(t, h.plain)
			})
		})
	}
}

// A Move whose answer was lost is written again later: it finds what it claimed.
func TestAMoveWrittenAgainFindsWhatItClaimed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		move := h.following(h.claimed(t, all[0].Task()), delivered)
		h.record(t, move)
		h.clock.advance(time.Second)
		if again := h.taken(t, h.record(t, move)); again.Held.ID != all[1].ID {
			t.Errorf("claimed %s, want %s", again.Held.ID, all[1].ID)
		}
		// Once the claimed one has moved, it is nobody's to be told of.
		h.record(t, h.attempt(h.read(t, all[1].ID), retried))
		if moved := h.record(t, move); moved.Next != "" || moved.Followed() {
			t.Errorf("moved: %+v", moved)
		}
		invariants(t, h.plain)
	})
}

// Who insists on a Move finds what the first run released, too, until somebody has moved that.
func TestAMoveWrittenAgainReleasesTheSame(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		attempt := h.attempt(h.claimed(t, all[0].Task()), delivered)
		attempt.At = h.clock.Now()
		moves := []func() store.Move{
			func() store.Move { return attempt },
			func() store.Move {
				return h.Settlement(h.read(t, all[1].ID), dispatcher.StatusExpired, dispatcher.ReasonExpired)
			},
		}
		for i, made := range moves {
			move, next := made(), all[i+1].ID
			if moved := h.record(t, move); moved.Next != next {
				t.Errorf("%d: released %q, want %q", i, moved.Next, next)
			}
			h.clock.advance(time.Second)
			h.unchanged(t, func() {
				if moved := h.record(t, move); moved.Late || moved.Next != next {
					t.Errorf("%d, again: late %v, released %q, want %q", i, moved.Late, moved.Next, next)
				}
			})
			h.claimed(t, h.read(t, next).Task())
			if moved := h.record(t, move); moved.Next != "" {
				t.Errorf("%d: released %q, which is claimed", i, moved.Next)
			}
			held := h.read(t, next)
			h.record(t, store.Move{From: held, To: unclaimed(held.Delivery)})
		}
		invariants(t, h.plain)
	})
}

func TestWhatWasClaimedOnTheWayIsCancelledWithItsNotification(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		held := h.claimed(t, all[0].Task())
		if _, err := h.Commit(t.Context(), store.Commit{State: h.load(t, order("lane")), Remove: []string{all[0].NotificationID}}); err != nil {
			t.Fatal(err)
		}
		if c := h.taken(t, h.record(t, h.following(held, delivered))); c.Notification != nil {
			t.Errorf("a removed notification came along: %+v", c.Notification)
		}
	})
}
