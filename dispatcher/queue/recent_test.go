package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// trips counts round trips, and those that read an order; lose makes the answer to the next script get lost.
type trips struct {
	all, loads atomic.Int64
	lose       atomic.Bool
}

func (*trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.all.Add(1)
		err := next(ctx, cmd)
		if err == nil && cmd.Name() == "evalsha" && c.lose.CompareAndSwap(true, false) {
			err = io.ErrUnexpectedEOF
			cmd.SetErr(err)
		}
		return err
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.all.Add(1)
		if cmds[0].Name() == "hmget" {
			c.loads.Add(1)
		}
		return next(ctx, cmds)
	}
}

// beside is the producer of another process over the same store.
func (h *house) beside(recentBytes int) *queue.Producer {
	return queue.NewProducer(queue.ProducerConfig{
		Store: h.store, Redis: h.rdb, Bell: queue.NewBell(), Log: slog.New(slog.DiscardHandler),
		Metrics: queue.NewMetrics(prometheus.NewRegistry()), Now: h.clock.now, RecentBytes: recentBytes,
	})
}

// write commits a document by a producer and returns the versions that it was planned onto, and what it owes.
func (h *house) write(p *queue.Producer, ref dispatcher.OrderRef, document string) (onto []int64, owed []dispatcher.Delivery) {
	h.t.Helper()
	err := p.Commit(h.t.Context(), ref, func(state store.State) (*store.Commit, error) {
		onto = append(onto, state.Order.Version)
		c := h.planTo(state, document)
		c.Channel, owed = "web", c.Deliveries
		return c, nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return onto, owed
}

func (h *house) version() int64 {
	h.t.Helper()
	state, err := h.store.Load(h.t.Context(), h.ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return state.Order.Version
}

// A change of an order that this process has written is one round trip, beside those of Asynq.
func TestTheNextChangeReadsNothing(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h, seen := newHouse(t, rdb, 0), &trips{}
		rdb.AddHook(seen)
		h.write(h.producer, h.ref, `{"a":1}`)
		seen.all.Store(0)
		for i := range 3 {
			if onto, _ := h.write(h.producer, h.ref, fmt.Sprintf(`{"b":%d}`, i)); !slices.Equal(onto, []int64{int64(i) + 1}) {
				t.Errorf("change %d was planned onto the versions %v", i, onto)
			}
		}
		if got := seen.all.Load(); got != 3 {
			t.Errorf("three changes took %d round trips", got)
		}
		h.register("https://h.example/", nil)
		seen.loads.Store(0)
		if owed := h.change("paid"); len(owed) != 1 {
			t.Errorf("a registration of this process is not seen: %+v", owed)
		}
		if got := seen.loads.Load(); got != 0 {
			t.Errorf("the change after a registration reads the order %d times", got)
		}
	})
}

// Whatever others do to an order meanwhile, the next change here is made of the order as it is.
func TestOthersWroteMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		other := h.beside(0)
		n := dispatcher.Notification{
			ID: "n2", URL: "https://h.example/", Method: "POST", Scope: anyState(t), Format: dispatcher.FormatNorce,
			Ordering: dispatcher.OrderingStrict, Created: h.clock.now(),
		}
		register := func() error {
			return other.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
				return &store.Commit{Put: []dispatcher.Notification{n}}, nil
			})
		}
		var backup map[string]string
		for _, row := range []struct {
			name             string
			meanwhile        func() error
			onto, owed, ends int
		}{
			{"nothing", func() error { return nil }, 2, 1, 3},
			{"a change", func() error { h.write(other, h.ref, `{"state":{"currentStatus":"other"}}`); return nil }, 3, 1, 4},
			{"a registration", register, 2, 2, 3},
			{"a 410 stopped the notification", func() error {
				state, err := h.store.Load(t.Context(), h.ref)
				return errors.Join(err, h.store.StopNotification(t.Context(), h.ref, state.Notifications[0]))
			}, 2, 0, 3},
			{"deleted", func() error { return other.DeleteOrder(t.Context(), h.ref, anyOrder) }, 0, 0, 3},
			{"deleted and made again", func() error {
				err := other.DeleteOrder(t.Context(), h.ref, anyOrder)
				h.write(other, h.ref, `{"new":true}`)
				return err
			}, 3, 0, 4},
			{"deleted by this process", func() error { return h.producer.DeleteOrder(t.Context(), h.ref, anyOrder) }, 0, 0, 3},
			{"Redis was restored from an older backup", func() error {
				return errors.Join(rdb.Del(t.Context(), h.keyOf("o")).Err(), rdb.HSet(t.Context(), h.keyOf("o"), backup).Err())
			}, 1, 1, 2},
		} {
			h.ref.OrderID = strings.ReplaceAll(row.name, " ", "-")
			h.register("https://h.example/", func(n *dispatcher.Notification) { n.ID = "n1" })
			h.change("created")
			var err error
			if backup, err = rdb.HGetAll(t.Context(), h.keyOf("o")).Result(); err != nil {
				t.Fatal(err)
			}
			h.change("paid") // from here on this process remembers it
			if err := row.meanwhile(); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			onto, owed := h.write(h.producer, h.ref, `{"state":{"currentStatus":"mine"}}`)
			if onto[len(onto)-1] != int64(row.onto) || len(owed) != row.owed || h.version() != int64(row.ends) {
				t.Errorf("%s: planned onto the versions %v, owes %d, ends at version %d; want it onto %d, owing %d, at %d",
					row.name, onto, len(owed), h.version(), row.onto, row.owed, row.ends)
			}
		}
	})
}

// A no, and that nothing is to be done, is only said of the order as it stands.
func TestNoIsSaidOfTheOrderAsItStands(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		refused := errors.New("refused")
		for _, row := range []struct {
			name string
			say  func() (*store.Commit, error) // of version 1
		}{
			{"nothing is to be done", func() (*store.Commit, error) { return nil, nil }},
			{"refused", func() (*store.Commit, error) { return nil, refused }},
		} {
			h.ref.OrderID = strings.ReplaceAll(row.name, " ", "-")
			h.write(h.producer, h.ref, `{"a":1}`)
			h.write(h.beside(0), h.ref, `{"a":2}`)
			err := h.producer.Commit(t.Context(), h.ref, func(state store.State) (*store.Commit, error) {
				if state.Order.Version == 1 {
					return row.say()
				}
				return h.planTo(state, `{"a":3}`), nil
			})
			if err != nil || h.version() != 3 {
				t.Errorf("%s of the version before last: %v, and the order is at version %d", row.name, err, h.version())
			}
			err = h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) { return row.say() })
			if _, want := row.say(); !errors.Is(err, want) {
				t.Errorf("%s: %v", row.name, err)
			}
		}
	})
}

// Nobody knows what became of a commit without an answer, so nothing of it is remembered.
func TestALostAnswerIsNotRemembered(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h, seen := newHouse(t, rdb, 0), &trips{}
		rdb.AddHook(seen)
		h.write(h.producer, h.ref, `{"a":1}`)
		seen.lose.Store(true)
		err := h.producer.Commit(t.Context(), h.ref, func(state store.State) (*store.Commit, error) {
			return h.planTo(state, `{"a":2}`), nil
		})
		if !errors.Is(err, dispatcher.ErrUnavailable) || seen.lose.Load() {
			t.Fatalf("a commit whose answer is lost: %v", err)
		}
		if onto, _ := h.write(h.producer, h.ref, `{"a":3}`); !slices.Equal(onto, []int64{2}) {
			t.Errorf("the change after it was planned onto %v, want the version that was written", onto)
		}
	})
}

// What is remembered is bounded: the order that was written longest ago is forgotten first, one that is too large at once.
func TestOnlyRecentOrdersAreRemembered(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h, seen := newHouse(t, rdb, 0), &trips{}
		rdb.AddHook(seen)
		reads := func(p *queue.Producer, id, document string) bool {
			seen.loads.Store(0)
			h.write(p, dispatcher.OrderRef{Merchant: "acme", OrderID: id}, document)
			return seen.loads.Load() > 0
		}
		p := h.beside(16 << 10)
		body := func(i, size int) string { return fmt.Sprintf(`{"a":%d,"x":"%s"}`, i, strings.Repeat("x", size)) }
		for i := range 10 {
			reads(p, fmt.Sprint(i), body(0, 4<<10))
		}
		if reads(p, "9", body(1, 4<<10)) || !reads(p, "0", body(1, 4<<10)) {
			t.Error("of ten orders of 4 KiB in 16 KiB the last is not remembered, or the first is")
		}
		if reads(p, "9", body(2, 20<<10)); !reads(p, "9", body(3, 4<<10)) {
			t.Error("an order larger than all room is remembered")
		}
		if reads(p, "0", body(4, 4<<10)) {
			t.Error("what is too large has driven out what is not")
		}
		h.clock.advance(time.Hour)
		if !reads(p, "0", body(5, 4<<10)) {
			t.Error("an order is remembered for an hour")
		}
		if none := h.beside(-1); reads(none, "n", `{}`) && !reads(none, "n", `{"a":1}`) {
			t.Error("a producer that shall remember nothing does")
		}
	})
}

// Writers of two processes at the same order: every change lands, none twice.
func TestWritersOfTwoProcesses(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		h.write(h.producer, h.ref, `{"state":{"currentStatus":"new"}}`)
		h.register("https://h.example/", nil)
		const writers, changes = 4, 6
		var wg sync.WaitGroup
		other := h.beside(0)
		for w := range writers {
			p := []*queue.Producer{h.producer, other}[w%2]
			wg.Go(func() {
				for i := range changes {
					if _, owed := h.write(p, h.ref, fmt.Sprintf(`{"state":{"currentStatus":"s%d-%d"}}`, w, i)); len(owed) != 1 {
						t.Errorf("a change owes %d", len(owed))
					}
				}
			})
		}
		wg.Wait()
		if got := h.version(); got != 1+writers*changes {
			t.Errorf("version %d after %d changes", got, 1+writers*changes)
		}
	})
}
