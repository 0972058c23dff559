package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// sizedOrder is an order of about 1 KB with as much that does not repeat as orders have.
func sizedOrder(rng *rand.Rand, state string) string {
	var rows []string
	for i := range 5 {
		rows = append(rows, fmt.Sprintf(`{"rowId":%q,"partNo":"%08d","name":"Article %x","quantity":%d,"price":{"amount":%d.%02d,"vatRate":1.25,"currency":"SEK"}}`,
			fmt.Sprint(i+1), rng.IntN(1e8), rng.Uint64(), 1+rng.IntN(9), rng.IntN(5000), rng.IntN(100)))
	}
	return fmt.Sprintf(`{"id":"%016x","state":{"currentStatus":%q},"customer":{"email":"%x@example.com","phone":"+46%d","city":"Town %x"},`+
		`"cart":{"items":[%s]},"payments":[{"id":"%x","amount":%d.00}],"note":"%x"}`, rng.Uint64(), state, rng.Uint64(), rng.Uint32(),
		rng.Uint32(), strings.Join(rows, ","), rng.Uint64(), rng.IntN(9000), rng.Uint64())
}

// deliverSized takes an order through its whole way: load, commit, claim, record.
func deliverSized(t tb, h *house, rng *rand.Rand, ref dispatcher.OrderRef, state string, put ...dispatcher.Notification) {
	owed, _ := h.put(t, ref, sizedOrder(rng, state), put...)
	if len(owed) != 1 {
		t.Fatalf("%d deliveries", len(owed))
	}
	h.clock.advance(time.Millisecond)
	move := h.attempt(h.claimed(t, owed[0].Task()), delivered)
	move.Attempt.Body = []byte(fmt.Sprintf(`{"received":"%0186x"}`, rng.Uint64()))[:200]
	h.record(t, move)
}

// What a delivered Event costs: bytes in Redis, and commands. The bound is generous, the figures are for reading. Where
// an order has only one Event, the order itself and its registration, which are there without any Event, are not in it.
func TestWhatADeliveredEventCosts(t *testing.T) {
	t.Parallel()
	const atMost = 3 << 10
	for _, c := range []struct {
		name            string
		orders, changes int
	}{
		{"every Event of an order of its own", 500, 1},
		{"ten Events an order", 50, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			private := storetest.Private(t) // alone: the commands that it counts are ours
			rdb := redis.NewClient(private.Options().Simple())
			defer func() { _ = rdb.Close() }()
			count := &counter{}
			h := newHouse(t, rdb, count)
			defer func() { _ = h.rdb.Close() }()
			rng := rand.New(rand.NewPCG(1, 1))
			if size := len(sizedOrder(rng, "created")); size < 950 || size > 1100 {
				t.Fatalf("the order has %d bytes", size)
			}
			deliverSized(t, h, rng, order("warm"), "created", notification(t, "0190a0b0c0d07000800000000000000f", "strict")) // scripts are loaded
			if err := rdb.ConfigResetStat(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			count.commands.Store(0)
			count.trips.Store(0)
			for i := range c.orders {
				ref := order(fmt.Sprintf("order-%06d", i))
				put := []dispatcher.Notification{notification(t, dispatcher.NewID(h.clock.Now()), "strict")}
				put[0].Scope = parseScope(t, `{"state":["completed"]}`)
				for range c.changes {
					deliverSized(t, h, rng, ref, "completed", put...)
					if put = nil; c.changes > 1 {
						h.put(t, ref, sizedOrder(rng, "open")) // fires nothing
					}
				}
			}
			stats := rdb.InfoMap(t.Context(), "commandstats").Val()
			report(t, h, rdb, stats["Commandstats"], float64(c.orders*c.changes), count, c.orders, atMost)
		})
	}
}

func report(t *testing.T, h *house, rdb *redis.Client, stats map[string]string, events float64, count *counter, orders int, atMost float64) {
	t.Helper()
	var calls int
	for _, line := range stats {
		var n int
		if _, err := fmt.Sscanf(line, "calls=%d,", &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		calls += n
	}
	bytes, kinds := int64(0), map[string]int64{}
	for key := range dump(t, rdb) {
		n, err := rdb.MemoryUsage(t.Context(), key, 0).Result()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(key, "}:")
		kind, _, _ := strings.Cut(rest, ":")
		bytes += n
		kinds[kind] += n
	}
	each := float64(bytes) / events
	t.Logf("%.0f bytes an Event, of which:", each)
	for kind, n := range kinds {
		t.Logf("  %-6s %.0f", kind, float64(n)/events)
	}
	t.Logf("%.2f round trips, %.2f commands sent, %.1f commands run by Redis (those in scripts, too) an Event",
		float64(count.trips.Load())/events, float64(count.commands.Load())/events, float64(calls)/events)
	own := float64(bytes-kinds["o"]-kinds["n"]) / events
	t.Logf("%.0f bytes an Event without its order and registration", own)
	if own > atMost || events > float64(orders) && each > atMost {
		t.Errorf("%.0f bytes an Event, %.0f without its order and registration; at most %.0f", each, own, atMost)
	}
	page, err := h.Events(t.Context(), store.Query{Merchant: "acme", Limit: 1})
	if err != nil || len(page.Entries) != 1 || len(page.Entries[0].Attempt.Body) != 200 {
		t.Errorf("what was measured is not an Event with its answer: %+v, %v", page, err)
	}
}
