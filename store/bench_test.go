package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

func benchEach(b *testing.B, fn func(b *testing.B, h *house)) {
	for name, open := range map[string]func(testing.TB) *redis.Client{"miniredis": storetest.Mini, "redis-server": storetest.Server} {
		b.Run(name, func(b *testing.B) {
			h := newHouse(b, open(b))
			b.Cleanup(func() { _ = h.rdb.Close() })
			b.ReportAllocs()
			fn(b, h)
		})
	}
}

// One change of an order of 1 KB with one notification, which owes one delivery. One round trip; the load is not in it.
func BenchmarkCommit(b *testing.B) {
	benchEach(b, func(b *testing.B, h *house) {
		rng := rand.New(rand.NewPCG(1, 1))
		commits := make([]store.Commit, 0, 1024)
		for b.Loop() {
			if len(commits) == 0 {
				b.StopTimer()
				h.plain.FlushDB(b.Context())
				for i := range 1024 {
					ref := order(fmt.Sprintf("order-%d", i))
					commits = append(commits, h.planned(b, h.load(b, ref), sizedOrder(rng, "created"), notification(b, "n1", "strict")))
				}
				b.StartTimer()
			}
			last := len(commits) - 1
			if _, err := h.Commit(b.Context(), commits[last]); err != nil {
				b.Fatal(err)
			}
			commits = commits[:last]
		}
	})
}

// An order of 1 KB with one notification, as every change of it reads it. One round trip.
func BenchmarkLoad(b *testing.B) {
	benchEach(b, func(b *testing.B, h *house) {
		h.put(b, order("1"), sizedOrder(rand.New(rand.NewPCG(1, 1)), "created"), notification(b, "n1", "strict"))
		for b.Loop() {
			h.load(b, order("1"))
		}
	})
}

// One attempt of a delivery, without the POST: two round trips.
func BenchmarkClaimAndRecord(b *testing.B) {
	benchEach(b, func(b *testing.B, h *house) {
		rng := rand.New(rand.NewPCG(1, 1))
		var tasks []dispatcher.Task
		for b.Loop() {
			if len(tasks) == 0 {
				b.StopTimer()
				h.plain.FlushDB(b.Context())
				for i := range 1024 {
					_, ready := h.put(b, order(fmt.Sprintf("order-%d", i)), sizedOrder(rng, "created"), notification(b, "n1", "strict"))
					tasks = append(tasks, ready...)
				}
				b.StartTimer()
			}
			last := len(tasks) - 1
			h.deliver(b, tasks[last], delivered)
			tasks = tasks[:last]
		}
	})
}

// The newest ten of 11,000 Events, as the console asks for them: of each order five systems were told twice, and one delivery
// of ten failed first.
func BenchmarkEvents(b *testing.B) {
	benchEach(b, func(b *testing.B, h *house) {
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 1000 {
			var put []dispatcher.Notification
			for system := range 5 {
				n := notification(b, fmt.Sprintf("%d-%d", i, system), "none")
				n.AdapterID = []string{"erp", "wms", "crm", "pim", "bi"}[system]
				put = append(put, n)
			}
			for _, state := range []string{"created", "accepted"} {
				_, ready := h.put(b, order(fmt.Sprintf("order-%d", i)), sizedOrder(rng, state), put...)
				put = nil
				for at, task := range ready {
					h.clock.advance(time.Millisecond)
					held := h.claimed(b, task)
					if at == i%10 {
						held = h.record(b, h.attempt(held, retried)).Held
					}
					h.record(b, h.attempt(held, delivered))
				}
			}
		}
		for name, q := range map[string]store.Query{
			"all":                    {},
			"all, 100 a page":        {Limit: 100},
			"of an order":            {OrderID: "order-500"},
			"of an adapter":          {AdapterID: "erp"},
			"failed":                 {Outcome: dispatcher.Failed},
			"a status, looked for":   {StatusCode: "5xx"},
			"adapter and class, too": {AdapterID: "wms", StatusCode: "5xx"},
			"of a scope":             {Scope: "state.accepted"},
		} {
			q.Merchant, q.Limit = "acme", max(q.Limit, 10)
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					page, err := h.Events(b.Context(), q)
					if err != nil || len(page.Entries) != q.Limit {
						b.Fatalf("%d events, %v", len(page.Entries), err)
					}
				}
			})
		}
	})
}
