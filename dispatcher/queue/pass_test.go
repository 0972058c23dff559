package queue_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// A pass may end before its delivery is claimed, as one of a worker that was killed does before the sweep comes. Its
// place is another's then, and the delivery must not go out beside that one.
func TestPassThatHasEndedIsNoPass(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		frail := newReceiver(t, nil)
		_, err := h.store.ChangeGate(t.Context(), frail.URL, func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(1, 0, h.clock.now()) })
		h.must(err)
		ids := h.owe("acme", frail.URL, 1)
		read := func() store.Held {
			held, err := h.store.Read(t.Context(), ids...)
			h.must(err)
			return held[0]
		}
		h.parkBy(frail.URL, read())
		h.must(h.store.Reopen(t.Context(), read(), read().LetOut()))
		h.must(h.store.LeaveLine(t.Context(), frail.URL, ids...))
		h.must(h.store.GivePass(t.Context(), frail.URL, h.clock.now().Add(time.Hour), "another"))
		h.producer.Enqueue(t.Context(), read().Task())
		h.worker(t)
		h.until(func() bool { return len(frail.seen()) > 0 || read().Status == dispatcher.StatusParked },
			func() string { return "neither sent nor parked" })
		if n := len(frail.seen()); n > 0 {
			t.Fatalf("%d requests while another had the only place", n)
		}
		h.must(h.store.ReturnPass(t.Context(), frail.URL, "another"))
		h.awaitAll(ids, dispatcher.StatusDelivered)
		h.eachOnce(frail, ids)
		h.noneLeft(frail.URL)
	})
}
