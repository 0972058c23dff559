package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// tellings notes how many bytes of a snapshot each claim was told.
type tellings struct {
	through
	bytes *[]int
}

func (n tellings) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if keys := scriptKeys(cmd); err == nil && len(keys) == 5 && len(cmd.Args()) == 3+5+7 { // claim's
			reply, _ := cmd.(*redis.Cmd).StringSlice()
			*n.bytes = append(*n.bytes, len(reply[3]))
		}
		return err
	}
}

// Who committed a change, and who has claimed a delivery of it, is told only that its snapshot is there; every attempt has
// the same one.
func TestASnapshotIsToldOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var here, there []int
		mine, other := newHouse(t, h.plain, tellings{bytes: &here}), newHouse(t, h.plain, tellings{bytes: &there})
		n := notification(t, "n1", "strict")
		n.Scope = parseScope(t, `{"state":["created"],"cart":true}`)
		document := " { \"spaced\" : [ 1.50 ] , " + sizedOrder(rand.New(rand.NewPCG(1, 1)), "created")[1:]
		mine.clock.advance(123) // ns, which are not kept
		owed, _ := mine.put(t, order("1"), document, n)
		task := owed[0].Task()
		var snapshots []dispatcher.Snapshot
		for i, claimer := range []*house{mine, other, other, mine} {
			claim := claimer.claim(t, task)
			if claim.State != store.Claimed || claim.Snapshot == nil {
				t.Fatalf("claim %d: %s, %v", i, claim.State, claim.Snapshot)
			}
			snapshots = append(snapshots, *claim.Snapshot)
			if !reflect.DeepEqual(snapshots[i], snapshots[0]) {
				t.Errorf("claim %d:\n got %+v\nwant %+v", i, snapshots[i], snapshots[0])
			}
			claimer.record(t, store.Move{From: claim.Held, To: unclaimed(claim.Held.Delivery)})
		}
		if !reflect.DeepEqual(here, []int{1, 1}) || len(there) != 2 || there[0] < 200 || there[1] != 1 {
			t.Errorf("told here %v, there %v bytes", here, there)
		}
	})
}

func unclaimed(d dispatcher.Delivery) dispatcher.Delivery {
	d.ClaimedAt = time.Time{}
	return d
}

// What was erased is not sent because somebody still has it.
func TestAnErasedSnapshotIsGoneForWhoHasItToo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		if err := h.plain.Del(t.Context(), fmt.Sprintf("td{s%d}:c:%s", order("1").Shard(), d.ChangeID)).Err(); err != nil {
			t.Fatal(err)
		}
		if claim := h.claim(t, d.Task()); claim.State != store.Claimed || claim.Snapshot != nil {
			t.Errorf("%s, %+v", claim.State, claim.Snapshot)
		}
	})
}
