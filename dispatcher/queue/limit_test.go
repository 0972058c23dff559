package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// limit is what PUT .../targets/{target} does.
func (h *house) limit(target string, maxInFlight int, rate float64) {
	h.t.Helper()
	_, err := h.store.ChangeGate(h.t.Context(), target, func(g dispatcher.Gate) dispatcher.Gate {
		return g.Limit(maxInFlight, rate, h.clock.now())
	})
	if err != nil {
		h.t.Fatal(err)
	}
	// Workers are told of it; a first delivery shows that they have heard.
	h.until(func() bool {
		ids := h.owe("prober", target, 1)
		h.awaitAll(ids, dispatcher.StatusDelivered)
		held, _, err := h.store.Delivery(h.t.Context(), "prober", ids[0])
		return err == nil && held.Generation > 1 // it was parked and let out
	}, func() string { return "the limit of " + target + " is not heeded" })
}

func TestLimitOfATargetHoldsOverSeveralWorkers(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 3)
		frail := newSick(t)
		frail.heal()
		h.limit(frail.target(), 2, 0)
		frail.most.Store(0)
		ids := h.owe("acme", frail.URL, 40)
		h.awaitAll(ids, dispatcher.StatusDelivered)
		if most := frail.most.Load(); most > 2 {
			t.Errorf("%d requests at once, want at most 2", most)
		}
		h.eachOnce(frail.receiver, ids)
	})
}

func TestRateOfATargetPacesAndBurnsNoAttempts(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 2)
		frail := newReceiver(t, nil)
		h.limit(frail.URL, 0, 20)
		began := time.Now()
		ids := h.owe("acme", frail.URL, 30)
		h.awaitAll(ids, dispatcher.StatusDelivered)
		// 30 at 20 a second, with what one round of 100 ms may save up.
		if took := time.Since(began); took < 1300*time.Millisecond {
			t.Errorf("30 deliveries at 20 a second took %s", took)
		}
		held, err := h.store.Read(t.Context(), ids...)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range held {
			if d.Attempts != 1 {
				t.Errorf("%d attempts of %s", d.Attempts, d.ID)
			}
		}
		h.eachOnce(frail, ids)
	})
}

// lookouts counts the keeper's looks at gates, and what it reads of their lines.
type lookouts struct {
	rounds, reads, most atomic.Int64
}

func (*lookouts) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *lookouts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "zrange" && strings.HasSuffix(fmt.Sprint(args[1]), ":line") {
			l.reads.Add(1)
			if last, _ := args[3].(int64); last+1 > l.most.Load() {
				l.most.Store(last + 1)
			}
		}
		return next(ctx, cmd)
	}
}

func (l *lookouts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "zcard" && strings.HasSuffix(fmt.Sprint(cmds[0].Args()[1]), ":line") {
			l.rounds.Add(1)
		}
		return next(ctx, cmds)
	}
}

// Of a long line nothing is read while the rate lets nobody go, and then hardly more than may.
func TestPacedLineIsReadOnlyForThoseWhoMayGo(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		well := newReceiver(t, nil)
		_, err := h.store.ChangeGate(t.Context(), well.URL, func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(0, 0.01, h.clock.now()) })
		h.must(err)
		held, err := h.store.Read(t.Context(), h.owe("acme", well.URL, 20)...)
		h.must(err)
		for _, d := range held {
			h.parkBy(well.URL, d)
		}
		look := &lookouts{}
		rdb.AddHook(look)
		h.worker(t)
		for sent := 1; sent <= 2; sent++ {
			h.until(func() bool { return len(well.seen()) == sent }, func() string { return "nobody was let out" })
			rounds := look.rounds.Load()
			h.until(func() bool { return look.rounds.Load() >= rounds+5 }, func() string { return "the keeper does not look" })
			if n := look.reads.Load(); n > int64(sent) {
				t.Errorf("the line was read %d times to let %d go", n, sent)
			}
			h.clock.advance(101 * time.Second) // one more may go
		}
		if most := look.most.Load(); most > 9 {
			t.Errorf("%d of the line were read to let one go", most)
		}
	})
}
