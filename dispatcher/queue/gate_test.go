package queue_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// owe registers the target on n orders of its own and changes each once: n deliveries that wait for nobody else.
func (h *house) owe(merchant, url string, n int) (ids []string) {
	h.t.Helper()
	was := h.ref
	defer func() { h.ref = was }()
	for i := range n {
		h.ref = dispatcher.OrderRef{Merchant: merchant, OrderID: fmt.Sprintf("%s-%d-%d", merchant, h.orders.Add(1), i)}
		h.register(url, func(n *dispatcher.Notification) {
			n.Timeout = dispatcher.Duration(h.timeout)
			n.Retry = dispatcher.Retry{MaxAttempts: 50, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Second)}}
		})
		for _, d := range h.change("completed") {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// statusesOf counts deliveries by status.
func (h *house) statusesOf(ids []string) map[dispatcher.Status]int {
	h.t.Helper()
	held, err := h.store.Read(h.t.Context(), ids...)
	if err != nil {
		h.t.Fatal(err)
	}
	count := map[dispatcher.Status]int{}
	for _, d := range held {
		count[d.Status]++
	}
	return count
}

func (h *house) awaitAll(ids []string, want dispatcher.Status) {
	h.t.Helper()
	var got map[dispatcher.Status]int
	h.until(func() bool { got = h.statusesOf(ids); return got[want] == len(ids) },
		func() string { return fmt.Sprintf("deliveries are %v, not all %s", got, want) })
}

func (h *house) awaitGate(target string, want dispatcher.GateState) dispatcher.Gate {
	h.t.Helper()
	var gate dispatcher.Gate
	h.until(func() bool {
		gates, _, err := h.store.Gates(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		var known bool
		if gate, known = gates[target]; !known {
			gate.State = dispatcher.GateClosed
		}
		return gate.State == want
	}, func() string { return fmt.Sprintf("gate of %s is %+v, not %s", target, gate, want) })
	return gate
}

func TestHangingTargetIsParkedAndHarmsNobody(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1) // 16 attempts at once: 4 of one target
		dead, well := newSick(t), newReceiver(t, nil)
		ill := h.owe("acme", dead.URL, 40)
		h.until(func() bool { return h.statusesOf(ill)[dispatcher.StatusParked] >= 30 },
			func() string { return fmt.Sprint("not parked: ", h.statusesOf(ill)) })

		began := time.Now()
		h.awaitAll(h.owe("other", well.URL, 20), dispatcher.StatusDelivered)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("20 deliveries to a target that is well took %s", took)
		}

		gate := h.awaitGate(dead.target(), dispatcher.GateOpen)
		if gate.Reason != dispatcher.ParkTrouble || gate.Fault != dispatcher.ReasonTimeout {
			t.Errorf("gate %+v", gate)
		}
		dead.heal()
		h.awaitAll(ill, dispatcher.StatusDelivered)
		h.awaitGate(dead.target(), dispatcher.GateClosed)
		// 4 by the cap; the receiver may notice late that we gave up on them, so those come on top, and a probe.
		if most := dead.most.Load(); most > 9 {
			t.Errorf("%d requests at once to the hanging target, want at most 9", most)
		}
		h.noneLeft(dead.target())
	})
}

// noneLeft holds the store to having nothing of the target's line and passes, and nothing orphaned.
func (h *house) noneLeft(target string) {
	h.t.Helper()
	h.until(func() bool {
		crowds, err := h.store.Crowds(h.t.Context(), []string{target})
		if err != nil {
			h.t.Fatal(err)
		}
		return crowds[0].Parked == 0 && crowds[0].Passes == 0
	}, func() string { return "line or passes left at " + target })
	audit, err := h.store.Audit(h.t.Context())
	if err != nil || audit.Orphaned != 0 || audit.Open != 0 {
		h.t.Errorf("audit %+v, %v", audit, err)
	}
}

func TestTargetThatAnswers500IsParkedToo(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		ill := newSick(t)
		ill.heal()
		ill.status.Store(http.StatusInternalServerError)
		ids := h.owe("acme", ill.URL, 30)
		if gate := h.awaitGate(ill.target(), dispatcher.GateOpen); gate.Fault != dispatcher.ReasonStatus5xx {
			t.Errorf("gate %+v", gate)
		}
		ill.status.Store(http.StatusOK)
		h.awaitAll(ids, dispatcher.StatusDelivered)
		h.awaitGate(ill.target(), dispatcher.GateClosed)
		h.noneLeft(ill.target())
	})
}

// A gate is changed elsewhere, and this worker is told: it asks by itself only every few seconds.
func TestGateThatChangedElsewhereIsHeededSoon(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		well := newReceiver(t, nil)
		h.awaitAll(h.owe("acme", well.URL, 1), dispatcher.StatusDelivered) // it listens by now
		var took []time.Duration
		for n := range 7 {
			began := time.Now()
			target := newReceiver(t, nil)
			_, err := h.store.ChangeGate(t.Context(), target.URL, func(g dispatcher.Gate) dispatcher.Gate {
				return g.Trip(dispatcher.ReasonTimeout, h.clock.now().Add(time.Hour), 0)
			})
			h.must(err)
			h.until(func() bool {
				ids := h.owe(fmt.Sprint("m", n), target.URL, 1)
				var got map[dispatcher.Status]int
				h.until(func() bool {
					got = h.statusesOf(ids)
					return got[dispatcher.StatusDelivered]+got[dispatcher.StatusParked] == 1
				}, func() string { return fmt.Sprint(got) })
				return got[dispatcher.StatusParked] == 1
			}, func() string { return "the gate is not heeded" })
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		if median := took[len(took)/2]; median > 700*time.Millisecond {
			t.Errorf("median from the change to the first that was parked %v; all: %v", median, took)
		}
	})
}

func (h *house) eachOnce(r *receiver, ids []string) {
	h.t.Helper()
	count := map[string]int{}
	for _, p := range r.seen() {
		count[p.header.Get("Webhook-Id")]++
	}
	for _, id := range ids {
		if count[id] != 1 {
			h.t.Errorf("delivery %s arrived %d times", id, count[id])
		}
	}
}

func TestManualRetryPassesAnOpenGateAndHealsIt(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		ill := newSick(t)
		ill.heal()
		ill.status.Store(http.StatusInternalServerError)
		ids := h.owe("acme", ill.URL, 22)
		h.awaitGate(ill.target(), dispatcher.GateOpen)
		// Far away is the next probe by itself.
		if _, err := h.store.ChangeGate(t.Context(), ill.target(), func(g dispatcher.Gate) dispatcher.Gate {
			g.ProbeAt = time.Now().Add(time.Hour)
			return g
		}); err != nil {
			t.Fatal(err)
		}
		h.until(func() bool { return h.statusesOf(ids)[dispatcher.StatusParked] == len(ids) },
			func() string { return fmt.Sprint("not all parked: ", h.statusesOf(ids)) })
		ill.status.Store(http.StatusOK)
		_, attempts, err := h.store.Delivery(t.Context(), "acme", ids[0])
		if err != nil || len(attempts) == 0 {
			t.Fatalf("%v, %d attempts", err, len(attempts))
		}
		if _, err := h.producer.Retry(t.Context(), "acme", attempts[0].ID.String(), false); err != nil {
			t.Fatal(err)
		}
		h.awaitAll(ids, dispatcher.StatusDelivered)
		h.awaitGate(ill.target(), dispatcher.GateClosed)
	})
}

// What a keeper that was killed leaves behind, at each step of letting a delivery out.
func TestKeeperMayDieAnywhere(t *testing.T) {
	t.Parallel()
	const acme = "acme"
	for _, step := range []struct {
		dies string
		do   func(h *house, target string, d store.Held)
	}{
		{"after giving the pass", func(h *house, target string, d store.Held) {
			h.must(h.store.GivePass(h.t.Context(), target, h.clock.now().Add(time.Second), d.ID))
		}},
		{"after letting out, before enqueueing", func(h *house, target string, d store.Held) {
			h.must(h.store.GivePass(h.t.Context(), target, h.clock.now().Add(time.Second), d.ID))
			h.must(h.store.Reopen(h.t.Context(), d, d.LetOut()))
		}},
		{"after enqueueing, before it left the line", func(h *house, _ string, d store.Held) {
			h.must(h.store.Reopen(h.t.Context(), d, d.LetOut()))
			h.producer.Enqueue(h.t.Context(), d.LetOut().Task())
		}},
		{"after it left the line without being let out", func(h *house, target string, d store.Held) {
			line, err := h.store.Line(h.t.Context(), target, 0, 10)
			h.must(err)
			if len(line) != 1 || line[0].ID != d.ID {
				h.t.Fatalf("line %v", line)
			}
			h.must(h.store.LeaveLine(h.t.Context(), target, line...))
		}},
		{"and with it the gate is lost", func(h *house, target string, _ store.Held) {
			h.must(h.rdb.HDel(h.t.Context(), "td{gates}", target).Err())
		}},
	} {
		t.Run(step.dies, func(t *testing.T) {
			each(t, func(t *testing.T, rdb *redis.Client) {
				h := newHouse(t, rdb, 0)
				well := newReceiver(t, nil)
				ids := h.owe(acme, well.URL, 1)
				held, err := h.store.Read(t.Context(), ids...)
				h.must(err)
				h.parkBy(well.URL, held[0])
				held, err = h.store.Read(t.Context(), ids...)
				h.must(err)
				step.do(h, well.URL, held[0])

				h.clock.advance(11 * time.Minute) // the sweep looks at parked ones every ten
				h.worker(t)
				h.until(func() bool {
					h.sweep()
					return h.statusesOf(ids)[dispatcher.StatusDelivered] == 1
				}, func() string { return fmt.Sprint(h.statusesOf(ids)) })
				h.eachOnce(well, ids)
				h.noneLeft(well.URL)
			})
		})
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// parkBy does what a worker does that may not send.
func (h *house) parkBy(target string, d store.Held) {
	h.t.Helper()
	h.must(h.rdb.Del(h.t.Context(), "asynq:{"+queue.Name+"}:pending").Err())
	claim, err := h.store.Claim(h.t.Context(), d.Task(), queue.Lease)
	h.must(err)
	_, err = h.store.Park(h.t.Context(), target, d.Merchant, d.ID)
	h.must(err)
	_, err = h.store.ChangeGate(h.t.Context(), target, func(g dispatcher.Gate) dispatcher.Gate { return g.Hold(dispatcher.ParkBusy, h.clock.now()) })
	h.must(err)
	_, err = h.store.Record(h.t.Context(), store.Move{From: claim.Held, To: claim.Held.Park(target, dispatcher.ParkBusy, h.clock.now()),
		Due: h.clock.now().Add(10 * time.Minute)})
	h.must(err)
}

func TestParkedExpiresAndIsCancelled(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		const target = "https://down.example.com:443"
		n := h.register("https://down.example.com/", func(n *dispatcher.Notification) { n.ExpiresAfter = dispatcher.Duration(time.Minute) })
		other := h.register("https://down.example.com/2", nil)
		for _, d := range h.change("completed") {
			held, err := h.store.Read(t.Context(), d.ID)
			h.must(err)
			h.parkBy(target, held[0])
		}
		h.must(h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Remove: []string{other.ID}}, nil
		}))
		open, err := h.store.OpenDeliveries(t.Context(), h.ref)
		h.must(err)
		if len(open) != 1 || open[0].NotificationID != n.ID || open[0].Status != dispatcher.StatusParked {
			t.Fatalf("open: %+v", open)
		}
		h.clock.advance(11 * time.Minute)
		h.sweep()
		if got := h.statusesOf([]string{open[0].ID}); got[dispatcher.StatusExpired] != 1 {
			t.Errorf("%v, want expired", got)
		}
	})
}
