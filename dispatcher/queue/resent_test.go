package queue_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// resent sends the next script twice, as go-redis does when the first answer is lost, and lets something happen in between.
type resent struct {
	through
	armed   atomic.Bool
	between func()
}

func (r *resent) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" || !r.armed.CompareAndSwap(true, false) {
			return next(ctx, cmd)
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		r.between()
		return next(ctx, cmd)
	}
}

// lose loses the answer of the next script that the house calls, and has others do something before it is sent again.
func (h *house) lose(between func()) *resent {
	lost := &resent{between: between}
	h.rdb.AddHook(lost)
	return lost
}

// states are those that deliveries are open for.
func (h *house) states() (of []string) {
	h.t.Helper()
	open, err := h.store.OpenDeliveries(h.t.Context(), h.ref)
	h.must(err)
	for _, d := range open {
		of = append(of, d.Scope[0])
	}
	slices.Sort(of)
	return of
}

// A change whose answer was lost is made once, however many others wrote before it was sent again, and theirs stand.
func TestAChangeWhoseAnswerWasLostIsMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		for _, others := range []int{0, 1, 7} {
			t.Run(fmt.Sprint(others), func(t *testing.T) {
				h := newHouse(t, rdb, 0)
				h.ref.OrderID = fmt.Sprint("lost-", others)
				h.register("http://127.0.0.1:1/", nil)
				h.change("created")
				other, want := h.beside(-1), []string{"state.created", "state.paid"}
				lost := h.lose(func() {
					for i := range others {
						state := fmt.Sprint("shipped", i)
						h.must(other.Commit(t.Context(), h.ref, func(s store.State) (*store.Commit, error) { return h.plan(s, state), nil }))
						want = append(want, "state."+state)
					}
				})
				lost.armed.Store(true)
				h.change("paid")
				if owed := h.states(); fmt.Sprint(owed) != fmt.Sprint(want) {
					t.Errorf("owed are %v, want %v", owed, want)
				}
				if version := h.version(); version != int64(2+others) {
					t.Errorf("the order is at version %d", version)
				}
			})
		}
	})
}

// A delete whose answer was lost deletes nothing that was made after it.
func TestADeleteWhoseAnswerWasLostLeavesWhatCameAfter(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		h.register("http://127.0.0.1:1/", nil)
		h.change("created")
		other := h.beside(-1)
		lost := h.lose(func() { h.write(other, h.ref, `{"state":{"currentStatus":"anew"}}`) })
		first := dispatcher.OrderRef{Merchant: "acme", OrderID: "first"} // so that Redis knows the script
		h.write(other, first, `{}`)
		h.must(h.producer.DeleteOrder(t.Context(), first, anyOrder))
		lost.armed.Store(true)
		h.must(h.producer.DeleteOrder(t.Context(), h.ref, anyOrder))
		state, err := h.store.Load(t.Context(), h.ref)
		if h.must(err); string(state.Order.Document.JSON()) != `{"state":{"currentStatus":"anew"}}` {
			t.Errorf("the order made after the delete is %+v", state.Order)
		}
	})
}

// A change that made an order whose answer was lost, and that was deleted meanwhile, does not make it again.
func TestAnOrderThatWasDeletedIsNotMadeAgainByALostAnswer(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		other := h.beside(-1)
		create := func(ref dispatcher.OrderRef) {
			n := dispatcher.Notification{
				ID: dispatcher.NewID(time.Now()), URL: "http://127.0.0.1:1/", Method: "POST", Scope: anyState(t), Format: dispatcher.FormatNorce,
				Ordering: dispatcher.OrderingStrict, Timeout: dispatcher.Duration(time.Second), Created: h.clock.now(),
			}
			h.must(h.producer.Commit(t.Context(), ref, func(s store.State) (*store.Commit, error) {
				c := h.plan(s, "created")
				c.Channel, c.Put = "web", []dispatcher.Notification{n}
				var err error
				c.Deliveries, err = dispatcher.Plan(t.Context(), *c.Change, c.Put)
				return c, err
			}))
		}
		first := dispatcher.OrderRef{Merchant: "acme", OrderID: "first"} // so that Redis knows the scripts
		create(first)
		h.must(other.DeleteOrder(t.Context(), first, anyOrder))
		lost := h.lose(func() { h.must(other.DeleteOrder(t.Context(), h.ref, anyOrder)) })
		lost.armed.Store(true)
		create(h.ref)
		if state, err := h.store.Load(t.Context(), h.ref); err != nil || state.Known() {
			t.Errorf("%+v, %v", state.Order, err)
		}
		if owed := h.states(); len(owed) > 0 {
			t.Errorf("owed are %v", owed)
		}
	})
}
