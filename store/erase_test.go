package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func shardOf(orderID string) string { return strconv.Itoa(order(orderID).Shard()) }

// holds says whether a text lies anywhere in Redis, packed values unpacked.
func (h *house) holds(t tb, text string) (where string, found bool) {
	t.Helper()
	for key, c := range dump(t, h.plain) {
		texts := append([]string{key, c.text, unpacked(c.text)}, c.list...)
		texts = append(append(texts, c.set...), members(c)...)
		for field, value := range c.hash {
			texts = append(texts, field, value, unpacked(value))
		}
		for _, have := range texts {
			if strings.Contains(have, text) {
				return key, true
			}
		}
	}
	return "", false
}

func (h *house) erase(t tb, unfinished int) {
	t.Helper()
	if left, err := h.Erase(t.Context()); err != nil || left != unfinished {
		t.Errorf("Erase = %d, %v; want %d unfinished", left, err, unfinished)
	}
}

func (h *house) deleteOrder(t tb, ref dispatcher.OrderRef) {
	t.Helper()
	if err := h.DeleteOrder(t.Context(), h.load(t, ref)); err != nil {
		t.Fatal(err)
	}
}

// personal is what must be gone once the order is.
const personal = "Astrid Lindgren"

func personalOrder(name string) string {
	return `{"state":{"currentStatus":"` + name + `"},"customer":{"name":"` + personal + `"}}`
}

func TestErase(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ref := order("1")
		scoped := notification(t, "n1", "strict")
		scoped.Scope = parseScope(t, `"/customer"`)
		first, _ := h.put(t, ref, personalOrder("a"), scoped)
		h.clock.advance(time.Second)
		second, _ := h.put(t, ref, strings.ReplaceAll(personalOrder("b"), `n"}`, `n","age":1}`))
		third, _ := h.put(t, ref, strings.ReplaceAll(personalOrder("c"), `n"}`, `n","age":2}`))
		for _, v := range []dispatcher.Verdict{retried, delivered} {
			move := h.attempt(h.claimed(t, first[0].Task()), v)
			move.Attempt.Body = []byte("thanks for the order of " + personal)
			move.Attempt.Header = map[string]string{"X-Customer": personal}
			move.Attempt.URL = "https://erp.example.com/of/" + personal
			h.record(t, move)
			h.clock.advance(time.Second)
		}
		events := h.pages(t, store.Query{Merchant: "acme", Limit: 5}, nil)

		h.deleteOrder(t, ref)
		if h.load(t, ref).Known() {
			t.Error("the order is still known")
		}
		if err := h.DeleteOrder(t.Context(), h.load(t, ref)); !errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("deleted again: %v; want ErrNotFound", err)
		}
		invariants(t, h.plain)
		if _, found := h.holds(t, personal); !found { // nothing has been erased so far: the search would find it
			t.Fatal("the search finds nothing before the erasure either")
		}
		h.clock.advance(time.Second)
		h.erase(t, 0)
		invariants(t, h.plain)
		if where, found := h.holds(t, personal); found {
			t.Errorf("%s still holds the customer's name", where)
		}
		for kind, want := range map[string]int{"o": 1, "n": 0, "h": 0, "c": 0, "l": 0, "d": 3} {
			if expires, stays := expiring(t, h, kind); expires+stays != want || stays != 0 {
				t.Errorf("%d keys of kind %s, %d of which stay; want %d and none", expires+stays, kind, stays, want)
			}
		}
		d, attempts, err := h.Delivery(t.Context(), "acme", first[0].ID)
		if err != nil || d.Status != dispatcher.StatusDelivered || !d.Erased || d.Evidence != nil || len(attempts) != 2 {
			t.Fatalf("%+v with %d attempts, %v", d.Delivery, len(attempts), err)
		}
		if a := attempts[0]; a.StatusCode != 503 || a.Body != nil || a.Header != nil || a.URL != "https://erp.example.com/******" || a.Reason != dispatcher.ReasonStatus5xx {
			t.Errorf("the Event without its body: %+v", a)
		}
		for _, id := range []string{second[0].ID, third[0].ID} {
			d, attempts, err := h.Delivery(t.Context(), "acme", id)
			if err != nil || d.Status != dispatcher.StatusCancelled || d.Reason != dispatcher.ReasonCancelled || len(attempts) != 1 ||
				attempts[0].Reason != dispatcher.ReasonCancelled || attempts[0].Sent != dispatcher.SentNo || attempts[0].Number != 0 {
				t.Errorf("an open delivery became %+v with %+v, %v", d.Delivery, attempts, err)
			}
		}
		now := h.pages(t, store.Query{Merchant: "acme", Limit: 5}, nil)
		if len(now) != 4 || strings.Join(now[2:], " ") != strings.Join(events, " ") {
			t.Errorf("events %v, want two cancellations and then %v", now, events)
		}
		h.unchanged(t, func() { h.erase(t, 0) })
	})
}

func TestEraseLeavesWhatIsInFlight(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		held := h.claimed(t, all[0].Task())
		h.deleteOrder(t, order("lane"))
		h.erase(t, 1)
		invariants(t, h.plain)
		if now := h.read(t, all[0].ID); now.Status != dispatcher.StatusPending || !now.ClaimedAt.Equal(held.ClaimedAt) {
			t.Errorf("in flight, it became %+v", now.Delivery)
		}
		h.unchanged(t, func() { h.erase(t, 1) }) // the others are done: nothing is written again
		move := h.attempt(held, delivered)
		if moved := h.record(t, move); moved.Late || moved.Next != "" {
			t.Errorf("recorded: %+v", moved)
		}
		h.erase(t, 0)
		invariants(t, h.plain)
		d, attempts, err := h.Delivery(t.Context(), "acme", all[0].ID)
		if err != nil || d.Status != dispatcher.StatusDelivered || !d.Erased || len(attempts) != 1 || attempts[0].Body != nil {
			t.Errorf("%+v, %+v, %v", d.Delivery, attempts, err)
		}
	})
}

// A worker whose lease ran out records after the erasure: the Event stays, as it must, without the answer.
func TestLateRecordOfAnErasedDeliveryKeepsNoBody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), "strict")
		move := h.attempt(h.claimed(t, d.Task()), delivered)
		move.Attempt.Body = []byte(personal)
		move.Attempt.Header = map[string]string{"X-Customer": personal}
		h.clock.advance(lease)
		h.deliver(t, d.Task(), givenUp)
		h.deleteOrder(t, order("1"))
		h.erase(t, 0)
		if moved := h.record(t, move); !moved.Late {
			t.Errorf("recorded: %+v", moved)
		}
		if _, a, err := h.Event(t.Context(), "acme", move.Attempt.ID.String()); err != nil || a.StatusCode != 200 {
			t.Errorf("the Event: %+v, %v", a, err)
		}
		if where, found := h.holds(t, personal); found {
			t.Errorf("%s holds the answer", where)
		}
		invariants(t, h.plain)
	})
}

// Nor is anything left to be done then: a worker that is killed on the way leaves no answer, and one that insists one Event.
func TestAWorkerKilledWithALateRecordLeavesNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		alive, kill := context.WithCancel(t.Context())
		defer kill()
		late := newHouse(t, h.plain, killing{kill: kill}, lostAnswer{t: t, look: h.plain, doubled: new(atomic.Int64)})
		defer func() { _ = late.rdb.Close() }()
		d := h.one(t, order("1"), "strict")
		move := h.attempt(h.claimed(t, d.Task()), delivered)
		move.Attempt.Body, move.Attempt.Header = []byte(personal), map[string]string{"X-Customer": personal}
		h.clock.advance(lease)
		h.deliver(t, d.Task(), givenUp)
		h.deleteOrder(t, order("1"))
		h.erase(t, 0)
		holdsNoAnswer := func() {
			t.Helper()
			if where, found := h.holds(t, personal); found {
				t.Errorf("%s holds the answer", where)
			}
			invariants(t, h.plain)
		}
		if _, err := late.Record(alive, move); !errors.Is(err, context.Canceled) {
			t.Errorf("killed: %v", err)
		}
		holdsNoAnswer()
		for range 2 {
			if moved := late.record(t, move); !moved.Late {
				t.Errorf("recorded: %+v", moved)
			}
			holdsNoAnswer()
		}
		if _, attempts, err := h.Delivery(t.Context(), "acme", d.ID); err != nil || len(attempts) != 2 {
			t.Errorf("%d Events, %v", len(attempts), err)
		}
	})
}

// killing kills a process as soon as Redis has run a script of its.
type killing struct {
	through
	kill func()
}

func (k killing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && scriptKeys(cmd) != nil {
			k.kill()
		}
		return err
	}
}

func TestDeleteOrderNeedsTheStateAsItIs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.one(t, order("1"), "strict")
		seen := h.load(t, order("1"))
		h.put(t, order("1"), status("paid"))
		h.unchanged(t, func() {
			if err := h.DeleteOrder(t.Context(), seen); !errors.Is(err, dispatcher.ErrConflict) {
				t.Errorf("%v; want ErrConflict", err)
			}
		})
	})
}

// The process dies between DeleteOrder and Erase, the adapter writes the order anew, and another process finishes.
func TestErasureIsFinishedByAnotherStoreAndSparesTheNewOrder(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		old := h.one(t, order("1"), "strict")
		h.put(t, order("1"), personalOrder("a"))
		h.deleteOrder(t, order("1"))
		h.clock.advance(time.Second)
		other := newHouse(t, h.plain)
		defer func() { _ = other.rdb.Close() }()
		other.clock = h.clock

		note := notification(t, "n2", "strict")
		owed, ready := other.put(t, order("1"), status("anew"), note)
		if len(owed) != 1 || len(ready) != 1 || owed[0].OrderVersion != 3 { // receivers would take a lower one for late news
			t.Fatalf("the new order owes %+v, %d ready", owed, len(ready))
		}
		invariants(t, h.plain)
		before := other.read(t, owed[0].ID)
		other.erase(t, 0)
		invariants(t, h.plain)

		state := other.load(t, order("1"))
		if !state.Known() || string(state.Order.Document.JSON()) != status("anew") || len(state.Notifications) != 1 {
			t.Errorf("the new order became %+v", state)
		}
		if now := other.read(t, owed[0].ID); now.Status != before.Status || now.Erased || len(now.Evidence) != 1 {
			t.Errorf("its delivery became %+v", now.Delivery)
		}
		if where, found := h.holds(t, personal); found {
			t.Errorf("%s still holds the old order's customer", where)
		}
		if was := other.read(t, old.ID); was.Status != dispatcher.StatusCancelled || !was.Erased {
			t.Errorf("the old order's delivery became %+v", was.Delivery)
		}
		if moved, _ := other.deliver(t, owed[0].Task(), delivered); moved.Late {
			t.Error("the new delivery is late")
		}
		invariants(t, h.plain)
	})
}

func TestDeleteOrderWithoutDeliveries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.put(t, order("1"), status("created"))
		h.deleteOrder(t, order("1"))
		h.erase(t, 0)
		// Its version is left, for as long as Events are, and goes on where the order is made and erased again.
		for version := range 3 {
			left := dump(t, h.plain)
			of := left[fmt.Sprintf("td{s%d}:o:acme:1", order("1").Shard())]
			if len(left) != 1 || !of.expires || len(of.hash) != 1 || of.hash["e"] != fmt.Sprint(version+1) {
				t.Fatalf("left behind: %v", left)
			}
			if stays := h.plain.PTTL(t.Context(), fmt.Sprintf("td{s%d}:o:acme:1", order("1").Shard())).Val(); stays > retention || stays < retention-time.Minute {
				t.Errorf("it is left for %s, Events for %s", stays, retention)
			}
			if version == 1 { // notifications registered ahead of a document keep it, too
				fires := notification(t, "n1", "strict")
				fires.Scope = parseScope(t, `{"payment":true}`) // never
				h.commit(t, store.Commit{State: h.load(t, order("1")), Channel: "web", Put: []dispatcher.Notification{fires}})
				if h.load(t, order("1")).Order.Exists() {
					t.Error("notifications alone are taken for the order")
				}
				invariants(t, h.plain)
			}
			h.put(t, order("1"), status("created"))
			if state := h.load(t, order("1")); state.Order.Version != int64(version+2) || !state.Order.New() {
				t.Errorf("made again it is %+v", state.Order)
			}
			invariants(t, h.plain)
			h.deleteOrder(t, order("1"))
			h.erase(t, 0)
		}
	})
}

// Trouble with one deleted order does not keep another from being erased.
func TestEraseGoesOnPastWhatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, id := range []string{"1", "2"} {
			h.one(t, order(id), dispatcher.OrderingStrict)
		}
		bad, err := h.OpenDeliveries(t.Context(), order("1"))
		if err != nil || len(bad) != 1 {
			t.Fatal(bad, err)
		}
		good, err := h.OpenDeliveries(t.Context(), order("2"))
		if err != nil || len(good) != 1 {
			t.Fatal(good, err)
		}
		h.deleteOrder(t, order("1"))
		h.deleteOrder(t, order("2"))
		key := fmt.Sprintf("td{s%d}:d:%s", order("1").Shard(), bad[0].ID)
		if err := h.plain.Set(t.Context(), key, "broken", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if unfinished, err := h.Erase(t.Context()); err == nil || unfinished != 1 {
			t.Errorf("%d unfinished, %v", unfinished, err)
		}
		held, err := h.Read(t.Context(), good[0].ID)
		if err != nil || !held[0].Erased || held[0].Status != dispatcher.StatusCancelled {
			t.Errorf("the other order: %+v, %v", held, err)
		}
	})
}

// Nor does trouble with one delivery keep the others of its order from being erased, those before it least of all.
func TestEraseGoesOnPastADeliveryThatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var all []dispatcher.Delivery
		for i, name := range []string{"a", "b", "c"} {
			var put []dispatcher.Notification
			if i == 0 {
				put = append(put, notification(t, "n1", "none"))
			}
			owed, _ := h.put(t, order("1"), personalOrder(name), put...)
			all = append(all, owed...)
			h.clock.advance(time.Second)
		}
		h.deliver(t, all[0].Task(), delivered)
		mend := h.breakRecord(t, all[1])
		h.deleteOrder(t, order("1"))
		var unreadable *store.UnreadableError
		if err := h.EraseOrder(t.Context(), order("1")); !errors.As(err, &unreadable) {
			t.Errorf("EraseOrder: %v", err)
		}
		for _, i := range []int{0, 2} {
			if held := h.read(t, all[i].ID); !held.Erased {
				t.Errorf("delivery %d: %+v", i, held.Delivery)
			}
		}
		if unfinished, err := h.Erase(t.Context()); !errors.As(err, &unreadable) || unfinished != 1 {
			t.Errorf("%d unfinished, %v", unfinished, err)
		}
		mend() // by a newer version, which can read it
		h.erase(t, 0)
		if where, found := h.holds(t, personal); found {
			t.Errorf("%s still holds the customer's name", where)
		}
		invariants(t, h.plain)
	})
}
