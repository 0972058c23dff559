package queue

import (
	"context"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// drain is what a worker does for one task of Asynq: an attempt of its delivery and then, while attempts end deliveries,
// of those that wait behind it in its lane. The record of one claims the next, so that a lane that has grown costs Asynq
// one task, and Redis one round trip for each delivery. A worker that dies on the way leaves one claimed delivery, as it
// does anywhere else.
type drain struct {
	*Deliverer
	left  int       // how many more may be begun
	until time.Time // when no more is begun
	moved store.Moved
	at    time.Time // when what moved claims was claimed
	to    string    // target of the last attempt
}

// A drain is short, so that a long lane does not keep a place of the pool from others: its rest is enqueued. So it is where
// a target has little room left, for there merchants take turns.
const (
	drainMost = 16
	drainFor  = 500 * time.Millisecond
)

func (d *Deliverer) newDrain() *drain {
	return &drain{Deliverer: d, left: drainMost, until: d.now().Add(drainFor)}
}

// follow says whether the end of a delivery is to claim the lane's next for us.
func (r *drain) follow() store.Follow {
	select {
	case <-r.ending:
		return store.Follow{}
	default:
	}
	now := r.now()
	if r.left == 0 || now.After(r.until) || !r.gate.roomy(r.to) {
		return store.Follow{}
	}
	return store.Follow{At: now, Lease: Lease}
}

// goOnAfter lets go on what waited for a delivery that has ended: with us, if it is claimed for us, else by a task of its own.
func (r *drain) goOnAfter(ctx context.Context, moved store.Moved, f store.Follow) {
	if !moved.Followed() {
		r.producer.EnqueueNext(ctx, moved)
		return
	}
	r.moved, r.at = moved, f.At
	r.left--
}

// rest attends to what was claimed on the way, one after another.
func (r *drain) rest(ctx context.Context) {
	for r.moved.Followed() {
		moved := r.moved
		r.moved = store.Moved{}
		claim, err := r.store.Take(ctx, moved)
		if claim.Held.ID == "" {
			r.log.WarnContext(ctx, "delivery.not_attempted", "delivery", moved.Next, "error", err, "then", "left to the sweep")
			return
		}
		var done Disposition
		if err != nil {
			err = r.release(ctx, claim.Held, err)
		} else {
			done, err = r.attend(ctx, claim, r.at)
		}
		r.enqueueAgain(ctx, claim.Held.Task(), done, err)
	}
}

// enqueueAgain gives a delivery that had no task of its own one for its next attempt.
func (r *drain) enqueueAgain(ctx context.Context, t dispatcher.Task, done Disposition, err error) {
	switch {
	case err != nil:
		r.log.WarnContext(ctx, "delivery.not_attempted", "delivery", t.DeliveryID, "order", t.OrderID, "error", err, "then", "again")
		r.producer.enqueueAt(ctx, t, r.now().Add(ourPause))
	case !done.RetryAt.IsZero():
		r.producer.enqueueAt(ctx, t, done.RetryAt)
	}
}
