package store_test

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func TestWhatIsOlderThanTheRetentionIsNotToldAndTrimmed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := history(t, h, 30)
		cut := all[len(all)/2].a.ID.Time() // Events of exactly this millisecond stay
		h.clock.advance(cut.Add(retention).Sub(h.clock.Now()))
		var kept []told
		for _, e := range all {
			if !e.a.ID.Time().Before(cut) {
				kept = append(kept, e)
			}
		}
		if len(kept) < 10 || len(kept) > len(all)-10 {
			t.Fatalf("%d of %d are kept: nothing is shown by that", len(kept), len(all))
		}
		asks := func(when string) {
			t.Helper()
			for _, q := range []store.Query{
				{Merchant: "acme"}, {Merchant: "acme", Outcome: "failed"}, {Merchant: "acme", StatusCode: "2xx"},
				{Merchant: "acme", OrderID: all[len(all)-1].d.OrderID}, {Merchant: "acme", From: began},
				{Merchant: all[len(all)-1].d.Merchant, DeliveryID: all[len(all)-1].d.ID},
			} {
				q.Limit = 20
				h.agrees(t, kept, q)
			}
			for i, e := range all {
				_, _, err := h.Event(t.Context(), e.d.Merchant, e.id())
				if told := err == nil; told != !e.a.ID.Time().Before(cut) || err != nil && !errors.Is(err, dispatcher.ErrNotFound) {
					t.Errorf("%s, event %d of %s: %v", when, i, e.a.ID.Time(), err)
				}
			}
		}
		asks("before Trim")
		before := dump(t, h.plain)
		removed, err := h.Trim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asks("after Trim")

		// Nothing but index members of old Events may have gone.
		gone := int64(0)
		after := dump(t, h.plain)
		for key, c := range before {
			if !strings.Contains(key, "}:x:") {
				continue
			}
			var want []string
			for _, member := range members(c) {
				if dispatcher.EventID([]byte(member[:16])).Time().Before(cut) {
					gone++
				} else {
					want = append(want, member)
				}
			}
			if got := members(after[key]); !slices.Equal(got, want) {
				t.Errorf("%s: %d members, want %d", key, len(got), len(want))
			}
			delete(before, key)
			delete(after, key)
		}
		if diff := differences(before, after); diff != "" {
			t.Errorf("something else changed:\n%s", diff)
		}
		if removed != gone || gone == 0 {
			t.Errorf("Trim says %d, %d are gone", removed, gone)
		}
		if again, err := h.Trim(t.Context()); again != 0 || err != nil {
			t.Errorf("a second Trim removed %d, %v", again, err)
		}
	})
}

func TestTrimTakesExpiredDeliveriesOutOfHistories(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "none")
		for _, i := range []int{1, 3} {
			h.deliver(t, all[i].Task(), delivered)
			h.plain.Del(t.Context(), "td{s"+shardOf("lane")+"}:d:"+all[i].ID) // as its expiry does
		}
		names := func() (ids []string) {
			for _, member := range members(dump(t, h.plain)["td{s"+shardOf("lane")+"}:h:acme:lane"]) {
				ids = append(ids, hex.EncodeToString([]byte(member)))
			}
			return ids
		}
		if _, err := h.Trim(t.Context()); err != nil || len(names()) != 5 {
			t.Errorf("before its time: %d left, %v", len(names()), err)
		}
		h.clock.advance(retention + time.Minute)
		if _, err := h.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{all[0].ID, all[2].ID, all[4].ID} // open, however old
		if got := names(); !slices.Equal(got, want) {
			t.Errorf("history %v, want %v", got, want)
		}
	})
}

// More than one chunk of members in one index.
func TestTrimGoesOnThroughALongIndex(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingNone)
		rng := rand.New(rand.NewPCG(7, 8))
		for range 1200 {
			h.tell(t, rng, d)
		}
		h.clock.advance(2 * retention)
		young := h.tell(t, rng, d)
		if _, err := h.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, c := range dump(t, h.plain) {
			if strings.Contains(key, "}:x:") && len(c.zset) > 1 {
				t.Errorf("%s keeps %d members, want at most that of %s", key, len(c.zset), young.id())
			}
		}
		if got := h.pages(t, store.Query{Merchant: "acme", Limit: 5}, nil); !slices.Equal(got, []string{young.id()}) {
			t.Errorf("told: %v", got)
		}
	})
}

// One record that cannot be read, and stays, keeps nothing else from being trimmed.
func TestTrimGoesOnPastARecordThatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		bad := h.one(t, order("1"), "none")
		old, _ := h.put(t, order("1"), status("paid"))
		for _, d := range []dispatcher.Delivery{bad, old[0], h.one(t, order("2"), "none")} {
			h.deliver(t, d.Task(), delivered)
		}
		h.breakRecord(t, bad)
		h.plain.Del(t.Context(), "td{s"+shardOf("1")+"}:d:"+old[0].ID) // as its expiry does
		h.clock.advance(retention + time.Minute)
		if removed, err := h.Trim(t.Context()); err != nil || removed == 0 {
			t.Errorf("%d removed, %v", removed, err)
		}
		all := dump(t, h.plain)
		for key := range all {
			if strings.Contains(key, "}:x:") {
				t.Errorf("%s is left", key)
			}
		}
		left := members(all["td{s"+shardOf("1")+"}:h:acme:1"])
		if len(left) != 1 || hex.EncodeToString([]byte(left[0])) != bad.ID {
			t.Errorf("the history names %x, want what is there: %s", left, bad.ID)
		}
	})
}
