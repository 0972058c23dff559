package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// tellings notes how many bytes of terms and snapshot each claim was told.
type tellings struct {
	through
	bytes *[][2]int
}

func (n tellings) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if keys := scriptKeys(cmd); err == nil && len(keys) == 5 && len(cmd.Args()) == 3+5+7 { // claim's
			reply, _ := cmd.(*redis.Cmd).StringSlice()
			*n.bytes = append(*n.bytes, [2]int{len(reply[3]), len(reply[4])})
		}
		return err
	}
}

// Who committed a change, and who has claimed a delivery of it, is told only what has become of it; every attempt has the
// same terms and the same snapshot.
func TestWhatIsOwedIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct{ notifications, filling, terms, snapshot, known int }{
		"of a change that is owed once":  {1, 0, 300, 0, 0},
		"of a change that is owed twice": {2, 0, 100, 200, 1},
		"of a change of a large order":   {1, 16 << 10, 100, 16 << 10 / 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				var here, there [][2]int
				mine, other := newHouse(t, h.plain, tellings{bytes: &here}), newHouse(t, h.plain, tellings{bytes: &there})
				var put []dispatcher.Notification
				for i := range c.notifications {
					n := notification(t, fmt.Sprintf("n%d", i), "strict")
					n.AdapterID, n.Options = "erp", parse(t, `{"version":"v1"}`)
					n.Scope = parseScope(t, `{"state":["created"],"cart":true}`)
					put = append(put, n)
				}
				rng := rand.New(rand.NewPCG(1, 1))
				document := " { \"spaced\" : [ 1.50 ] , " + sizedOrder(rng, "created")[1:]
				for len(document) < c.filling {
					document = fmt.Sprintf(`{"f%x":"%016x",`, rng.Uint64(), rng.Uint64()) + strings.TrimLeft(document, " {")
				}
				mine.clock.advance(123) // ns, which are not kept
				owed, _ := mine.put(t, order("1"), document, put...)
				task := owed[0].Task()
				var first store.Claim
				for i, claimer := range []*house{mine, other, other, mine} {
					claim := claimer.claim(t, task)
					if claim.State != store.Claimed || claim.Snapshot == nil {
						t.Fatalf("claim %d: %s, %v", i, claim.State, claim.Snapshot)
					}
					if i == 0 {
						first = claim
					}
					if !reflect.DeepEqual(claim.Snapshot, first.Snapshot) || !reflect.DeepEqual(claim.Held.Delivery, first.Held.Delivery) {
						t.Errorf("claim %d:\n got %+v\n     %+v\nwant %+v\n     %+v", i, claim.Held, claim.Snapshot, first.Held, first.Snapshot)
					}
					claimer.record(t, store.Move{From: claim.Held, To: unclaimed(claim.Held.Delivery)})
				}
				known := [2]int{0, c.known}
				if !reflect.DeepEqual(here, [][2]int{known, known}) || len(there) != 2 || there[0][0] < c.terms || there[0][1] < c.snapshot || there[1] != known {
					t.Errorf("told here %v, there %v bytes", here, there)
				}
			})
		})
	}
}

func unclaimed(d dispatcher.Delivery) dispatcher.Delivery {
	d.ClaimedAt = time.Time{}
	return d
}

// both puts an order with two notifications, to which its change is owed.
func (h *house) both(t tb, ref dispatcher.OrderRef) []dispatcher.Delivery {
	t.Helper()
	owed, _ := h.put(t, ref, status("created"), notification(t, "n1", "strict"), notification(t, "n2", "strict"))
	if len(owed) != 2 {
		t.Fatalf("%d deliveries", len(owed))
	}
	return owed
}

func (h *house) dropSnapshot(t tb, d dispatcher.Delivery) {
	t.Helper()
	key := fmt.Sprintf("td{s%d}:c:%s", d.Ref().Shard(), d.ChangeID)
	if n, err := h.plain.Del(t.Context(), key).Result(); n != 1 || err != nil {
		t.Fatalf("%s: %d, %v", key, n, err)
	}
}

// What was erased is not sent because somebody still has it.
func TestAnErasedSnapshotIsGoneForWhoHasItToo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.both(t, order("1"))[0]
		h.dropSnapshot(t, d)
		if claim := h.claim(t, d.Task()); claim.State != store.Claimed || claim.Snapshot != nil {
			t.Errorf("%s, %+v", claim.State, claim.Snapshot)
		}
	})
}

// A process that only takes changes keeps nothing for attempts: should it make one all the same, it is told everything.
func TestWhoDeliversNothingKeepsNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var told [][2]int
		mine := newHouse(t, h.plain, tellings{bytes: &told})
		sealer, err := store.NewSealer(sealingKey)
		if err != nil {
			t.Fatal(err)
		}
		mine.Store = store.New(store.Config{Redis: mine.rdb, Sealer: sealer, Now: mine.clock.Now, Elsewhere: true})
		mine.claimed(t, mine.one(t, order("1"), "strict").Task())
		if len(told) != 1 || told[0][0] < 100 {
			t.Errorf("told %v bytes", told)
		}
	})
}

// Who drains a lane of which it has nothing is told all of the lane's next, and need not ask for it.
func TestWhoHasNothingIsToldAllOfTheNext(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		late := h.attempt(h.read(t, all[2].ID), retried) // an Event that came while it waits stands behind its terms
		late.To = late.From.Delivery
		h.record(t, late)
		asked := &counter{}
		drainer := newHouse(t, h.plain, asked)
		held := drainer.claimed(t, all[0].Task())
		for i, d := range all[1:] {
			trips := asked.trips.Load()
			got := drainer.taken(t, drainer.record(t, drainer.following(held, delivered)))
			if got.Held.ID != d.ID || got.Snapshot == nil || got.Snapshot.Order.Version != d.OrderVersion {
				t.Fatalf("after %d: %+v", i, got)
			}
			if n := asked.trips.Load() - trips; i > 0 && n != 1 { // the first time Redis is told the script
				t.Errorf("after %d: recorded and taken in %d round trips", i, n)
			}
			held = got.Held
		}
		for i, d := range all[:4] {
			page, err := h.Events(t.Context(), store.Query{Merchant: d.Merchant, OrderID: d.OrderID, DeliveryID: d.ID, Limit: 9})
			want := 1
			if i == 2 {
				want = 2
			}
			if err != nil || len(page.Entries) != want {
				t.Errorf("delivery %d has %d Events, %v; want %d", i, len(page.Entries), err, want)
			}
		}
	})
}

// Of a backlog of which some was committed here and some was not, nothing more is asked for.
func TestWhoLackedSomethingIsToldAllForAWhile(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := &counter{}
		drainer := newHouse(t, h.plain, asked)
		drainer.clock = h.clock
		var all []dispatcher.Delivery
		for i, committer := range []*house{h, drainer, h, drainer, h} {
			var put []dispatcher.Notification
			if i == 0 {
				put = append(put, notification(t, "n1", "strict"))
			}
			owed, _ := committer.put(t, order("lane"), status(fmt.Sprint(i)), put...)
			all = append(all, owed...)
		}
		held := drainer.claimed(t, all[0].Task())
		for i, want := range []int64{0, 1, 1, 1} { // the first time Redis is told the script
			trips := asked.trips.Load()
			got := drainer.taken(t, drainer.record(t, drainer.following(held, delivered)))
			if n := asked.trips.Load() - trips; got.Held.ID != all[i+1].ID || got.Snapshot == nil || want > 0 && n != want {
				t.Errorf("%d: %s in %d round trips, want %s in %d", i, got.Held.ID, n, all[i+1].ID, want)
			}
			held = got.Held
		}
	})
}

// What several deliveries share is read once by who did not commit it.
func TestASharedSnapshotIsReadOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.both(t, order("1"))
		second, _ := h.put(t, order("1"), status("paid"))
		asked := &counter{}
		drainer := newHouse(t, h.plain, asked)
		drainer.claimed(t, h.one(t, order("2"), "strict").Task()) // so that Redis knows the script, and all is told
		var snapshots []*dispatcher.Snapshot
		for i, d := range first {
			held := drainer.claimed(t, d.Task())
			if i == 0 {
				drainer.record(t, store.Move{From: held, To: held.Delivery})
				held = drainer.read(t, d.ID)
			}
			trips := asked.trips.Load()
			got := drainer.taken(t, drainer.record(t, drainer.following(held, delivered)))
			if n, want := asked.trips.Load()-trips, int64(2-i); got.Held.ID != second[i].ID || n != want {
				t.Errorf("%s in %d round trips, want %s in %d", got.Held.ID, n, second[i].ID, want)
			}
			snapshots = append(snapshots, got.Snapshot)
		}
		if snapshots[0] == nil || snapshots[1] != snapshots[0] || string(snapshots[0].Order.Document.JSON()) != status("paid") {
			t.Errorf("%+v, %+v", snapshots[0], snapshots[1])
		}
	})
}

// The notifications of an order are in each of its snapshots, and may be many times as large as its document.
func TestWhatIsKeptIsWeighedWithItsNotifications(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const many = 200
		for name, c := range map[string]struct {
			fires, description int
			least              int // what its snapshot takes
		}{
			"one is told":           {1, 0, many * 150}, // about what each takes without its texts, at least
			"two are told":          {2, 0, many * 150},
			"with long description": {1, 1 << 10, many << 10},
		} {
			ref := order(strings.ReplaceAll(name, " ", "-"))
			var put []dispatcher.Notification
			for i := range many {
				n := notification(t, fmt.Sprintf("n%d", i), "none")
				n.Scope = parseScope(t, fmt.Sprintf(`{"state":["s%d"]}`, i/c.fires))
				n.Description = strings.Repeat("x", c.description)
				put = append(put, n)
			}
			h.put(t, ref, status("created"), put...)
			fits := func(bytes int) bool { return bytes > c.least && bytes < 4*c.least }
			before, _ := h.KeptBytes()
			owed, _ := h.put(t, ref, status("s0"))
			if after, _ := h.KeptBytes(); len(owed) != c.fires || !fits(after-before) {
				t.Errorf("%s: %d deliveries are kept in %d bytes", name, len(owed), after-before)
			}
			other := newHouse(t, h.plain)
			other.claimed(t, owed[0].Task())
			if kept, shared := other.KeptBytes(); !fits(kept) || c.fires > 1 && !fits(shared) || c.fires == 1 && shared != 0 {
				t.Errorf("%s: another process keeps one in %d bytes, and %d for several", name, kept, shared)
			}
			_ = other.rdb.Close()
		}
	})
}

// Evidence and options of a delivery are weighed, too.
func TestWhatIsKeptIsWeighedWithItsTerms(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		weigh := func(id, options, name string) int {
			n := notification(t, "n1", "none")
			n.Scope, n.Options = parseScope(t, `"/customer"`), parse(t, options)
			before, _ := h.KeptBytes()
			h.put(t, order(id), `{"customer":{"name":"`+name+`"}}`, n)
			after, _ := h.KeptBytes()
			return after - before
		}
		small := weigh("1", `{}`, "a")
		if large := weigh("2", `{"a":"`+strings.Repeat("x", 4096)+`"}`, "a"); large-small < 4096 {
			t.Errorf("%d bytes, and with options of 4 KiB %d", small, large)
		}
		const name = 400
		if large := weigh("3", `{}`, strings.Repeat("x", name)); large-small < name+name/2 { // in the document, and as evidence
			t.Errorf("%d bytes, and with evidence %d", small, large)
		}
	})
}

// What was erased through another process, and the secrets of what was removed there, stay here for about a minute, though
// nothing else comes.
func TestWhatNobodyAsksForLeavesMemory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := newHouse(t, h.plain)
		other.clock = h.clock
		defer func() { _ = other.rdb.Close() }()
		h.claimed(t, other.both(t, order("1"))[0].Task())
		h.both(t, order("2"))
		for _, id := range []string{"1", "2"} {
			other.deleteOrder(t, order(id))
			_, err := other.Erase(t.Context())
			if err != nil {
				t.Fatal(err)
			}
		}
		kept := func() (all [3]int) {
			all[0], all[1] = h.KeptBytes()
			all[2] = h.OpenedBytes()
			return all
		}
		before := kept()
		h.clock.advance(30 * time.Second)
		h.DropOld()
		if now := kept(); now != before || slices.Contains(now[:], 0) {
			t.Errorf("half a minute later kept are %d bytes, before %d", now, before)
		}
		h.clock.advance(time.Minute)
		h.DropOld()
		if now := kept(); now != [3]int{} {
			t.Errorf("later still kept are %d bytes", now)
		}
	})
}
