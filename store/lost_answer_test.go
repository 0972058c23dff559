package store_test

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/storetest"
)

// The same story told twice, once with every answer of a repeatable script lost, ends in the same keyspace.
func TestLostAnswersChangeNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		var doubled atomic.Int64
		lossy := newHouse(t, rdb, lostAnswer{t: t, look: rdb, doubled: &doubled})
		defer func() { _ = lossy.rdb.Close() }()
		lossyNext := story(t, lossy)
		lost := masked(dump(t, rdb))
		if err := rdb.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		plain := newHouse(t, rdb)
		defer func() { _ = plain.rdb.Close() }()
		plainNext := story(t, plain)
		if diff := differences(masked(dump(t, rdb)), lost); diff != "" {
			t.Errorf("with lost answers the end is another:\n%s", diff)
		}
		if fmt.Sprint(plainNext) != fmt.Sprint(lossyNext) {
			t.Errorf("with lost answers the released are %v, without %v", lossyNext, plainNext)
		}
		if doubled.Load() != 15 { // else this shows nothing: the scripts' names or the way they are called have changed
			t.Errorf("%d scripts were doubled, want 15", doubled.Load())
		}
	})
}

// story takes a lane of three through failure, success, settling in the middle, a retry by hand and a late record. It
// returns what every record released.
func story(t *testing.T, h *house) (released []string) {
	var lane []dispatcher.Delivery
	for i, name := range []string{"a", "b", "c"} {
		state := h.load(t, order("1"))
		c := h.planned(t, state, status(name))
		if i == 0 {
			c = h.planned(t, state, status(name), notification(t, "n1", "strict"))
		}
		// Ids as random as they are would make two ends differ.
		c.Change.ID = fmt.Sprintf("%032x", i+1)
		for j := range c.Deliveries {
			c.Deliveries[j].ChangeID = c.Change.ID
			c.Deliveries[j].ID = dispatcher.DeliveryID(order("1"), c.Change.ID, "n1")
		}
		if _, err := h.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		lane = append(lane, c.Deliveries...)
		h.clock.advance(time.Second)
	}
	events := uint64(0)
	step := func(id string, v dispatcher.Verdict, lateToo bool) {
		held := h.claimed(t, h.read(t, id).Task())
		for range map[bool]int{false: 1, true: 2}[lateToo] {
			move := h.attempt(held, v)
			events++
			binary.BigEndian.PutUint64(move.Attempt.ID[7:], events)
			move.Attempt.ID[15] = byte(order("1").Shard())
			released = append(released, h.record(t, move).Next)
			h.clock.advance(time.Second)
		}
	}
	step(lane[0].ID, retried, false)
	step(lane[0].ID, delivered, true)
	move := h.following(h.claimed(t, h.read(t, lane[1].ID).Task()), givenUp)
	events++
	binary.BigEndian.PutUint64(move.Attempt.ID[7:], events)
	move.Attempt.ID[15] = byte(order("1").Shard())
	moved := h.record(t, move)
	released = append(released, moved.Next)
	h.clock.advance(lease + time.Second) // whoever claimed the third with that dies
	if held := h.taken(t, moved).Held; held.ID != lane[2].ID {
		t.Errorf("claimed %s", held.ID)
	}
	step(lane[2].ID, retried, false)
	for range 2 {
		held := h.read(t, lane[1].ID)
		if err := h.Reopen(t.Context(), held, again(held.Delivery, h.clock.Now())); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(time.Second)
	}
	step(lane[2].ID, delivered, false)
	return released
}

var sealedText = regexp.MustCompile(`"z":"[^"]*"`)

// masked hides what is random in every run: the order's token and sealed texts.
func masked(all map[string]content) map[string]content {
	for _, c := range all {
		for field, value := range c.hash {
			if field == "k" {
				c.hash[field] = "token"
			} else {
				c.hash[field] = sealedText.ReplaceAllString(value, `"z":"sealed"`)
			}
		}
	}
	return all
}
