package queue_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// A crowd is let out and forgotten while about half as much keeps coming as the target may take: 2 in flight of a share of 4.
func TestCrowdIsForgottenThoughMoreKeepsComing(t *testing.T) {
	for _, gate := range []dispatcher.Gate{
		{State: dispatcher.GateBusy, Reason: dispatcher.ParkBusy},
		{State: dispatcher.GateBusy, Reason: dispatcher.ParkSlow},
		{State: dispatcher.GateBusy, Reason: dispatcher.ParkRetries},
		{State: dispatcher.GateRecovering, Reason: dispatcher.ParkTrouble, Pause: time.Second},
	} {
		t.Run(string(gate.State)+" "+string(gate.Reason), func(t *testing.T) {
			each(t, func(t *testing.T, rdb *redis.Client) {
				h := newHouse(t, rdb, 1)
				r := newReceiver(t, func(int, http.ResponseWriter, post) { waitFor(t, 100*time.Millisecond) })
				_, err := h.store.ChangeGate(t.Context(), r.URL, func(dispatcher.Gate) dispatcher.Gate { return gate })
				h.must(err)
				ids := h.owe("burst", r.URL, 12)
				tick := time.NewTicker(60 * time.Millisecond)
				defer tick.Stop()
				closed := false
				for i := 0; i < 300 && !closed; i++ {
					<-tick.C
					ids = append(ids, h.owe(fmt.Sprint("m", i%7), r.URL, 1)...)
					gates, _, err := h.store.Gates(t.Context())
					h.must(err)
					_, held := gates[r.URL]
					closed = !held
				}
				if !closed {
					t.Errorf("still held after %d deliveries", len(ids))
				}
				h.awaitAll(ids, dispatcher.StatusDelivered)
				h.eachOnce(r, ids)
			})
		})
	}
}

// waitFor is how long a receiver takes; nothing is waited for by it.
func waitFor(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// beforeScript runs do once, before the first script with this key that comes after it was armed.
type beforeScript struct {
	through
	once sync.Once
	key  string
	args int // of the script, so that one is told from another
	do   func()
}

func (b *beforeScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		if len(args) == b.args && strings.HasPrefix(cmd.Name(), "eval") && fmt.Sprint(args[3]) == b.key {
			b.once.Do(b.do)
		}
		return next(ctx, cmd)
	}
}

// A manual retry of a parked delivery is parked again between the keeper's reading of the line and its leaving it.
func TestParkedAgainWhileTheKeeperLooks(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		well := newReceiver(t, nil)
		ids := h.owe("acme", well.URL, 1)
		read := func() store.Held {
			held, err := h.store.Read(t.Context(), ids...)
			h.must(err)
			return held[0]
		}
		h.parkBy(well.URL, read())
		to := read().Delivery // what Retry does; its worker is played below
		to.Generation++
		to.NextTrigger, to.Status = dispatcher.TriggerManual, dispatcher.StatusRetrying
		h.must(h.store.Reopen(t.Context(), read(), to))
		parkedAgain := make(chan struct{})
		rdb.AddHook(&beforeScript{key: "td{" + well.URL + "}:line", args: 6, do: func() { // leave: script, keys, key, id, place
			defer close(parkedAgain)
			claim, err := h.store.Claim(t.Context(), read().Task(), 10*time.Second)
			h.must(err)
			_, err = h.store.Park(t.Context(), well.URL, "acme", ids[0])
			h.must(err)
			_, err = h.store.Record(t.Context(), store.Move{From: claim.Held,
				To: claim.Held.Park(well.URL, dispatcher.ParkBusy, h.clock.now()), Due: h.clock.now().Add(10 * time.Minute)})
			h.must(err)
		}})
		h.worker(t)
		select {
		case <-parkedAgain:
		case <-time.After(10 * time.Second):
			t.Fatal("the keeper never left the line")
		}
		h.awaitAll(ids, dispatcher.StatusDelivered) // by the keeper, not by a sweep after ten minutes
	})
}

func TestManualRetryOfAnExpiredDeliveryMayBeParked(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		well := newReceiver(t, nil)
		h.register(well.URL, func(n *dispatcher.Notification) { n.ExpiresAfter = dispatcher.Duration(time.Minute) })
		d := h.change("completed")[0]
		h.clock.advance(2 * time.Minute)
		held, err := h.store.Read(t.Context(), d.ID)
		h.must(err)
		_, err = h.store.Settle(t.Context(), held[0], dispatcher.StatusExpired, dispatcher.ReasonExpired)
		h.must(err)
		_, attempts, err := h.store.Delivery(t.Context(), "acme", d.ID)
		h.must(err)
		_, err = h.producer.Retry(t.Context(), "acme", attempts[0].ID.String(), false)
		h.must(err)
		held, err = h.store.Read(t.Context(), d.ID)
		h.must(err)
		h.parkBy(well.URL, held[0])
		h.clock.advance(20 * time.Minute)
		h.sweep()
		if got := h.statusesOf([]string{d.ID}); got[dispatcher.StatusParked] != 1 {
			t.Fatalf("%v, want parked", got)
		}
		h.worker(t)
		h.awaitAll([]string{d.ID}, dispatcher.StatusDelivered)
	})
}

// Those who left while they were parked neither block a line nor use up its rate.
func TestThoseWhoLeftTheLineDoNotHoldItUp(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		well := newReceiver(t, nil)
		_, err := h.store.ChangeGate(t.Context(), well.URL, func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(0, 0.5, h.clock.now()) })
		h.must(err)
		ids := h.owe("acme", well.URL, 61)
		for i, id := range ids {
			held, err := h.store.Read(t.Context(), id)
			h.must(err)
			h.parkBy(well.URL, held[0])
			if i < len(ids)-1 {
				held, err = h.store.Read(t.Context(), id)
				h.must(err)
				_, err = h.store.Settle(t.Context(), held[0], dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
				h.must(err)
			}
		}
		h.worker(t)
		began := time.Now()
		h.awaitAll(ids[len(ids)-1:], dispatcher.StatusDelivered)
		if took := time.Since(began); took > 10*time.Second { // at one token for each of them: two minutes
			t.Errorf("took %s", took)
		}
	})
}

// A limit that an operator sets protects a target; it does not give it the pool.
func TestLimitAboveTheShareIsTheShare(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1) // 16 at once, 4 of one target
		dead := newSick(t)
		_, err := h.store.ChangeGate(t.Context(), dead.target(), func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(100, 0, h.clock.now()) })
		h.must(err)
		ids := h.owe("acme", dead.URL, 40)
		h.until(func() bool { return dead.now.Load() >= 4 }, func() string { return "nothing is let out" })
		gate := h.awaitGate(dead.target(), dispatcher.GateOpen)
		if gate.Pause > 2*dispatcher.FirstProbePause {
			t.Errorf("what was let out before the breaker opened counts as probes: the pause is %s", gate.Pause)
		}
		// 4 by the share; those the receiver still has though we gave them up; a probe.
		if most := dead.most.Load(); most > 9 {
			t.Errorf("%d at once", most)
		}
		dead.heal()
		h.awaitAll(ids, dispatcher.StatusDelivered)
	})
}

// What is parked for a target that stays dead is given up when its retries would have been.
func TestParkedForADeadTargetIsGivenUpByItsPolicy(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		const target = "https://dead.example.com:443"
		h.register("https://dead.example.com/", func(n *dispatcher.Notification) {
			n.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
		})
		d := h.change("completed")[0]
		held, err := h.store.Read(t.Context(), d.ID)
		h.must(err)
		h.parkBy(target, held[0])
		_, err = h.store.ChangeGate(t.Context(), target, func(g dispatcher.Gate) dispatcher.Gate {
			return g.Trip(dispatcher.ReasonConnect, h.clock.now(), 0)
		})
		h.must(err)
		h.clock.advance(90 * time.Minute) // its retries would take two hours
		h.sweep()
		if got := h.statusesOf([]string{d.ID}); got[dispatcher.StatusParked] != 1 {
			t.Fatalf("%v after 90 minutes, want parked", got)
		}
		h.clock.advance(2 * time.Hour)
		h.sweep()
		_, attempts := h.await(d.ID, dispatcher.StatusFailed)
		if len(attempts) != 1 || attempts[0].Reason != dispatcher.ReasonConnect || attempts[0].Sent != dispatcher.SentNo || attempts[0].Number != 0 {
			t.Errorf("its Event: %+v", attempts)
		}
	})
}

// Probes of many targets that hang share an eighth of the pool, whenever each of them is due.
func TestProbesOfManyTargetsAreFewAtATime(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		h.timeout = 20 * time.Second // no probe ends while we look
		var dead []*sick
		for i := range 6 {
			s := newSick(t)
			dead = append(dead, s)
			ids := h.owe(fmt.Sprint("m", i), s.URL, 1)
			held, err := h.store.Read(t.Context(), ids...)
			h.must(err)
			h.parkBy(s.URL, held[0])
			_, err = h.store.ChangeGate(t.Context(), s.target(), func(g dispatcher.Gate) dispatcher.Gate {
				g = g.Trip(dispatcher.ReasonTimeout, h.clock.now(), 0)
				g.ProbeAt = h.clock.now().Add(300*time.Millisecond + time.Duration(i)*70*time.Millisecond)
				return g
			})
			h.must(err)
		}
		atOnce := func() (n int64) {
			for _, s := range dead {
				n += s.now.Load()
			}
			return n
		}
		h.worker(t) // 16 at once: two probes
		h.until(func() bool { return atOnce() >= 2 }, func() string { return "no probes" })
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 35 { // until all are due for long
			<-tick.C
			if n := atOnce(); n > 2 {
				t.Fatalf("%d probes at once, want at most 2", n)
			}
		}
	})
}
