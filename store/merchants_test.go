package store_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Three merchants, each with a time of its own: a shorter one, a longer one, and the common one.
func TestRetentionOfAMerchant(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kept := map[string]time.Duration{"short": retention / 2, "long": 5 * retention, "common": retention}
		sealer, err := store.NewSealer(sealingKey)
		if err != nil {
			t.Fatal(err)
		}
		h.Store = store.New(store.Config{Redis: h.rdb, Sealer: sealer, Retention: retention, Grace: grace, Now: h.clock.Now,
			MerchantRetention: map[string]time.Duration{"short": kept["short"], "long": kept["long"]}})
		rng := rand.New(rand.NewPCG(3, 4))
		said := map[string]told{}
		for merchant, its := range kept {
			ref := dispatcher.OrderRef{Merchant: merchant, OrderID: "1"}
			d := h.one(t, ref, dispatcher.OrderingNone)
			said[merchant] = h.tell(t, rng, d)
			h.deliver(t, d.Task(), delivered)
			for key := range dump(t, h.plain) {
				if !strings.HasSuffix(key, ":d:"+d.ID) && !strings.HasSuffix(key, ":c:"+d.ChangeID) {
					continue
				}
				if left := h.plain.PTTL(t.Context(), key).Val(); left > its || left < its-time.Minute {
					t.Errorf("%s of %s expires after %s, want %s", key, merchant, left, its)
				}
			}
		}
		day := h.clock.Now()
		for _, at := range []struct {
			after time.Duration
			told  []string
		}{
			{retention/2 - time.Minute, []string{"common", "long", "short"}},
			{retention/2 + time.Minute, []string{"common", "long"}},
			{retention + time.Minute, []string{"long"}},
			{5*retention + time.Minute, nil},
		} {
			h.clock.advance(day.Add(at.after).Sub(h.clock.Now()))
			for _, trimmed := range []bool{false, true} {
				if trimmed {
					if _, err := h.Trim(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				for merchant, e := range said {
					want := slices.Contains(at.told, merchant)
					q := store.Query{Merchant: merchant, Limit: 10}
					byOffset, total := h.offsets(t, q)
					_, _, err := h.Event(t.Context(), merchant, e.id())
					byDelivery := h.pages(t, store.Query{Merchant: merchant, DeliveryID: e.d.ID, Limit: 10}, nil)
					if n := len(h.pages(t, q, nil)); (n == 2) != want || (total == 2) != want || len(byOffset) != n || (err == nil) != want || len(byDelivery) != n {
						t.Errorf("%s, trimmed %v: %s told %d, counted %d, one %v; want %v", at.after, trimmed, merchant, n, total, err, want)
					}
				}
			}
			for merchant := range kept { // records do not expire by this clock, so histories keep what is alive
				var left int
				for key, c := range dump(t, h.plain) {
					if strings.Contains(key, "}:x:"+merchant+":") {
						left += len(c.zset)
					}
				}
				if (left > 0) != slices.Contains(at.told, merchant) {
					t.Errorf("%s: %d entries of %s are left in indexes", at.after, left, merchant)
				}
			}
		}
	})
}
