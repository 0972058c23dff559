package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// One merchant's backlog waits in the other queue; another's single change is sent long before that is done.
func TestMerchantsDoNotWaitForOneAnother(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		well := newReceiver(t, nil)
		inspector := asynq.NewInspectorFromRedisClient(rdb)
		var many []string
		sizes := map[string]int{}
		for sizes[queue.BulkName] < 50 && len(many) < 5000 { // until its share of the preferred queue is used up
			many = append(many, h.owe("greedy", well.URL, 50)...)
			for _, name := range []string{queue.Name, queue.BulkName} {
				if info, err := inspector.GetQueueInfo(name); err == nil {
					sizes[name] = info.Pending
				}
			}
		}
		if sizes[queue.Name]+sizes[queue.BulkName] != len(many) || sizes[queue.BulkName] < 50 {
			t.Fatalf("a burst of %d waits as %v", len(many), sizes)
		}
		single := h.owe("modest", well.URL, 1)
		h.worker(t)
		h.awaitAll(single, dispatcher.StatusDelivered)
		// What was sent before it: the burst's share of the preferred queue, and a little of the other.
		ahead := 0
		for _, p := range well.seen() {
			if p.header.Get("Webhook-Id") == single[0] {
				break
			}
			ahead++
		}
		if most := sizes[queue.Name] + sizes[queue.BulkName]/2; ahead > most {
			t.Errorf("%d of the burst were sent before the single change, want at most %d", ahead, most)
		}
		h.awaitAll(many, dispatcher.StatusDelivered)
		h.eachOnce(well, append(many, single...))
	})
}

// At a target where deliveries are parked, merchants take turns, too.
func TestMerchantsTakeTurnsInTheLineOfATarget(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		const target = "https://shared.example.com:443"
		for i := range 100 {
			if _, err := h.store.Park(t.Context(), target, "greedy", fmt.Sprintf("g%03d", i)); err != nil {
				t.Fatal(err)
			}
		}
		h.clock.advance(time.Second)
		if gated, err := h.store.Park(t.Context(), target, "modest", "m"); err != nil || gated {
			t.Fatalf("gated %v, %v", gated, err)
		}
		line, err := h.store.Line(t.Context(), target, 0, 200)
		if err != nil || len(line) != 101 {
			t.Fatalf("line of %d, %v", len(line), err)
		}
		for i, place := range line {
			id := place.ID
			if id == "m" && i > 20 { // a second is ten of greedy's steps
				t.Errorf("the modest one stands at %d", i)
			}
			if id != "m" && i > 0 && line[i-1].ID != "m" && line[i-1].ID > id {
				t.Errorf("%s stands before %s", line[i-1].ID, id)
			}
		}
		// Parked again it keeps its place.
		if _, err := h.store.Park(t.Context(), target, "greedy", "g000"); err != nil {
			t.Fatal(err)
		}
		if again, err := h.store.Line(t.Context(), target, 0, 1); err != nil || again[0].ID != "g000" {
			t.Errorf("first is %v, %v", again, err)
		}
	})
}
