package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
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
		line, err := h.store.Line(t.Context(), frail.URL, 0, 1)
		h.must(err)
		h.must(h.store.LeaveLine(t.Context(), frail.URL, line...))
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

// before calls what it is told before the commands that pick picks; those of pipelines, too.
type before struct {
	pick func(redis.Cmder) bool
	do   func(context.Context)
}

func (before) DialHook(next redis.DialHook) redis.DialHook { return next }
func (b before) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if b.pick(cmd) {
			b.do(ctx)
		}
		return next(ctx, cmd)
	}
}
func (b before) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, b.pick) {
			b.do(ctx)
		}
		return next(ctx, cmds)
	}
}

func wait(ctx context.Context, most time.Duration, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// A delivery may be attempted and parked again before the keeper has ended the round in which it let it out. It must not
// be taken out of the line then: nobody would find it until the sweep looks at parked ones.
func TestParkedAgainWhileTheKeeperStillLetsOut(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		frail := newReceiver(t, nil)
		_, err := h.store.ChangeGate(t.Context(), frail.URL, func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(1, 0, h.clock.now()) })
		h.must(err)
		ids := h.owe("acme", frail.URL, 1)
		read := func(ctx context.Context) store.Held {
			held, err := h.store.Read(ctx, ids...)
			if err != nil || len(held) == 0 {
				return store.Held{}
			}
			return held[0]
		}
		h.parkBy(frail.URL, read(t.Context()))
		first := true
		rdb.AddHook(before{
			pick: func(cmd redis.Cmder) bool {
				leaves := len(cmd.Args()) == 6 && fmt.Sprint(cmd.Args()[3]) == "td{"+frail.URL+"}:line" // script, keys, key, id, place
				return leaves && first
			},
			do: func(ctx context.Context) {
				first = false
				wait(ctx, 3*time.Second, func() bool { d := read(ctx); return d.Status == dispatcher.StatusParked && d.Attempts == 1 })
			},
		})
		frail.answer = func(n int, w http.ResponseWriter, _ post) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
		h.worker(t)
		h.awaitAll(ids, dispatcher.StatusDelivered)
		h.noneLeft(frail.URL)
	})
}

// A worker may be told to stop at any step of a round. What its keeper has let out by then has left the line, and is nobody's but
// the sweep's, seconds later, unless it is enqueued.
func TestKeeperThatStopsEnqueuesWhatItHasLetOut(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		const target = "http://127.0.0.1:1"
		ids := h.owe("acme", target+"/", 1)
		held, err := h.store.Read(t.Context(), ids...)
		h.must(err)
		h.parkBy(target, held[0])
		worker := queue.NewWorker(queue.WorkerConfig{
			Store: h.store, Producer: h.producer, Redis: clientBeside(t, rdb), Bell: queue.NewBell(), Log: slog.New(slog.DiscardHandler), Now: h.clock.now,
		})
		working, stop := context.WithCancel(t.Context())
		rdb.AddHook(before{
			pick: func(cmd redis.Cmder) bool { // leaves the line: script, keys, key, id, place
				return len(cmd.Args()) == 6 && fmt.Sprint(cmd.Args()[3]) == "td{"+target+"}:line"
			},
			do: func(context.Context) { stop() },
		})
		_ = queue.NewKeeper(worker).Round(working) // its context has ended
		if working.Err() == nil {
			t.Fatal("nothing was let out: nothing was tested")
		}
		if n := queueInfo(t, rdb).Pending; n != 1 {
			t.Errorf("%d enqueued, delivery %v", n, h.statusesOf(ids))
		}
		crowds, err := h.store.Crowds(t.Context(), []string{target})
		h.must(err)
		if crowds[0].Parked != 0 {
			t.Error("it still stands in the line")
		}
	})
}

// A worker that starts finds what was enqueued while nobody worked: it must know the limits before it takes the first.
func TestWorkerKnowsTheGatesBeforeItsFirstAttempt(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		frail := newSick(t)
		_, err := h.store.ChangeGate(t.Context(), frail.target(), func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(1, 0, h.clock.now()) })
		h.must(err)
		ids := h.owe("acme", frail.URL, 20)
		rdb.AddHook(before{
			pick: func(cmd redis.Cmder) bool { return cmd.Name() == "hgetall" && cmd.Args()[1] == "td{gates}" },
			do: func(ctx context.Context) {
				wait(ctx, 300*time.Millisecond, func() bool { return frail.now.Load() > 1 })
			},
		})
		h.worker(t)
		h.until(func() bool { return h.statusesOf(ids)[dispatcher.StatusParked] >= 4 },
			func() string { return fmt.Sprint("not parked: ", h.statusesOf(ids)) })
		frail.heal()
		h.awaitAll(ids, dispatcher.StatusDelivered)
		if most := frail.most.Load(); most > 1 {
			t.Errorf("%d requests at once, want at most 1", most)
		}
	})
}
