package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// What the queries search among: Events as workers record them, each step through the store's own functions (load, plan,
// commit, claim, record) but without the POST, which the Events do not need. Of each order five systems are told twice;
// one delivery of ten fails first.
const (
	fillMerchant    = "m"
	fillWriters     = 64
	fillSystems     = 5
	fillChanges     = 2
	fillLease       = 20 * time.Second
	eventsOfAnOrder = fillSystems*fillChanges + 1 // with the failed one
)

// filler makes Events.
type filler struct {
	*store.Store
	scope scope.Scope
}

func newFiller(s *stand) (*filler, func(), error) {
	sealer, err := store.NewSealer(s.key)
	if err != nil {
		return nil, nil, err
	}
	rule, faults := scope.Parse([]byte(`{"state":["*"]}`), scope.DefaultLimits)
	parsed, more := scope.ParseScope(rule, scope.Value{})
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, nil, faults
	}
	rdb := s.client(2 * fillWriters)
	return &filler{store.New(store.Config{Redis: rdb, Sealer: sealer}), parsed}, func() { _ = rdb.Close() }, nil
}

// fillOrder names the i-th order.
func fillOrder(i int) string { return "order-" + strconv.Itoa(i) }

// fill makes at least so many Events and returns how many, of how many orders.
func (f *filler) fill(ctx context.Context, events int) (made, orders int, err error) {
	orders = (events + eventsOfAnOrder - 1) / eventsOfAnOrder
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range fillWriters {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= orders {
					return
				}
				if err := f.order(ctx, i); err != nil {
					cancel(fmt.Errorf("make the Events of order %d: %w", i, err))
				}
			}
		})
	}
	wg.Wait()
	return orders * eventsOfAnOrder, orders, context.Cause(ctx)
}

// order makes the Events of one order.
func (f *filler) order(ctx context.Context, i int) error {
	ref := dispatcher.OrderRef{Merchant: fillMerchant, OrderID: fillOrder(i)}
	put := f.notifications()
	for n := range fillChanges {
		tasks, err := f.change(ctx, ref, fillChanges*i+n, put)
		if err != nil {
			return err
		}
		for _, task := range tasks {
			if err := f.deliver(ctx, task, n == 0 && task.DeliveryID == tasks[i%fillSystems].DeliveryID); err != nil {
				return err
			}
		}
		put = nil // registered
	}
	return nil
}

func (f *filler) notifications() (all []dispatcher.Notification) {
	now := time.Now()
	for i := range fillSystems {
		all = append(all, dispatcher.Notification{
			ID: dispatcher.NewID(now), URL: fmt.Sprintf("https://system-%d.example.com/orders", i), Method: "POST", Scope: f.scope,
			AdapterID: fmt.Sprintf("system-%d", i), Reference: "export", Format: dispatcher.FormatNorce, Signing: dispatcher.SigningNone,
			Ordering: dispatcher.OrderingStrict, Timeout: dispatcher.Duration(dispatcher.DefaultTimeout), Created: now,
		})
	}
	return all
}

func (f *filler) change(ctx context.Context, ref dispatcher.OrderRef, seq int, put []dispatcher.Notification) ([]dispatcher.Task, error) {
	state, err := f.Load(ctx, ref)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	document, faults := scope.Parse([]byte(document(seq, now)), scope.DefaultLimits)
	if len(faults) > 0 {
		return nil, faults
	}
	before := state.Order
	before.Channel = "web"
	change, _ := dispatcher.NewChange(before, document, "", now)
	deliveries, err := dispatcher.Plan(ctx, change, store.MergeNotifications(state.Notifications, put))
	if err != nil {
		return nil, err
	}
	done, err := f.Commit(ctx, store.Commit{State: state, Channel: before.Channel, Put: put, Change: &change, Deliveries: deliveries})
	if err == nil && len(done.Ready) != fillSystems {
		err = fmt.Errorf("%d deliveries are owed", len(done.Ready))
	}
	return done.Ready, err
}

// deliver records the attempts of a delivery: one that is answered 200, and before that, if it fails first, one that is
// answered 503.
func (f *filler) deliver(ctx context.Context, task dispatcher.Task, failsFirst bool) error {
	claim, err := f.Claim(ctx, task, fillLease)
	if err != nil {
		return err
	}
	if claim.State != store.Claimed {
		return errors.New("claim: " + string(claim.State))
	}
	held := claim.Held
	if failsFirst {
		if held, err = f.record(ctx, held, dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: dispatcher.ReasonStatus5xx, Ladder: dispatcher.LadderFull}, 503); err != nil {
			return err
		}
	}
	_, err = f.record(ctx, held, dispatcher.Verdict{Outcome: dispatcher.Delivered}, 200)
	return err
}

func (f *filler) record(ctx context.Context, held store.Held, v dispatcher.Verdict, status int) (store.Held, error) {
	now := time.Now()
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(now, held.Ref().Shard()), Number: held.Attempts + 1, Trigger: held.NextTrigger, At: now,
		Method: "POST", URL: "https://" + held.AdapterID + ".example.com/orders", StatusCode: status, Body: []byte(usualAnswer),
		Header: map[string]string{"Content-Type": "application/json"}, Duration: 12 * time.Millisecond, RemoteAddress: "192.0.2.1:443",
		Sent: dispatcher.SentYes, Outcome: v.Outcome, Reason: v.Reason,
	}
	to := dispatcher.Advance(held.Delivery, dispatcher.Retry{}, v, a, now, rand.Float64())
	a.WillRetry, a.NextAttemptAt = !to.Status.Terminal(), to.NextAttemptAt
	moved, err := f.Record(ctx, store.Move{From: held, To: to, Attempt: &a})
	if err == nil && moved.Late {
		err = errors.New("record: somebody else was first")
	}
	return moved.Held, err
}
