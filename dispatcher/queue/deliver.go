package queue

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/store"
)

// Deliverer makes attempts: claim, render, sign, POST, judge, record.
type Deliverer struct {
	store    *store.Store
	producer *Producer
	out      *outbound.Client
	leases   *leases
	gate     *Gate
	keeper   chan struct{} // wakes the Keeper
	log      *slog.Logger
	metrics  *Metrics
	agent    string
	origin   string // what a target is asked to allow, see handshake
	now      func() time.Time
	ending   <-chan struct{} // closed when nothing new is to be begun
	stopping <-chan struct{} // closed when the process must not wait any longer
}

// Disposition is what is to become of the task.
type Disposition struct {
	RetryAt time.Time // when the next attempt is due; zero: none
	GivenUp bool      // the delivery has failed for good
	Why     string    // what the attempt met, for operators
}

// Deliver makes one attempt of the task's delivery, if it is still due, and goes on with what waited behind it. What it
// returns is of the task's delivery alone: an error means that we could not look or not write; the target has not been
// troubled, and the task is to be tried again.
func (d *Deliverer) Deliver(ctx context.Context, task dispatcher.Task) (Disposition, error) {
	began := d.now()
	claim, err := d.store.Claim(ctx, task, Lease)
	if err != nil {
		if claim.State == store.Claimed && claim.Held.ID != "" { // claimed, but what belongs to it cannot be read
			err = d.release(ctx, claim.Held, err)
		}
		return Disposition{}, err
	}
	if claim.State != store.Claimed {
		d.log.DebugContext(ctx, "delivery.dropped", "delivery", task.DeliveryID, "generation", task.Generation, "because", string(claim.State))
		return Disposition{}, nil
	}
	// From here on the attempt is ours: a context that ends (Asynq lost its lease) must not leave it unrecorded.
	ctx = context.WithoutCancel(ctx)
	r := d.newDrain()
	done, err := r.attend(ctx, claim, began)
	r.rest(ctx)
	return done, err
}

// attend makes one attempt of a claimed delivery, or ends it without one.
func (r *drain) attend(ctx context.Context, claim store.Claim, began time.Time) (_ Disposition, err error) {
	held := claim.Held
	r.leases.add(held.ID, began)
	defer r.leases.drop(held.ID)
	r.metrics.inFlight.Inc()
	defer r.metrics.inFlight.Dec()
	defer r.returnPass(ctx, held)
	if !claim.Lost.IsZero() {
		if held, err = r.recordLost(ctx, held, claim.Lost); err != nil || held.Status.Terminal() {
			return Disposition{GivenUp: held.Status.Terminal(), Why: string(held.Reason)}, err
		}
	}
	if status, reason := r.unwanted(claim, held.Delivery); reason != "" {
		return r.settle(ctx, held, status, reason)
	}
	if held.NextTrigger == dispatcher.TriggerAutomatic && held.NextAttemptAt.After(r.now()) {
		// Asynq lost the retry and ran the task again, or the sweep did: not before its time.
		return Disposition{RetryAt: held.NextAttemptAt, Why: "before its time"}, r.release(ctx, held, nil)
	}
	t := attempt{drain: r, h: held, n: claim.Notification, snap: claim.Snapshot, claimed: began}
	return t.make(ctx)
}

// unwanted says why a delivery is not to be sent any more; "" when it is.
func (d *Deliverer) unwanted(c store.Claim, del dispatcher.Delivery) (dispatcher.Status, dispatcher.Reason) {
	automatic := del.NextTrigger == dispatcher.TriggerAutomatic
	switch {
	case c.Notification == nil, !c.Notification.Created.Equal(del.Registered):
		return dispatcher.StatusCancelled, dispatcher.ReasonCancelled
	case !c.Notification.Stopped.IsZero():
		return dispatcher.StatusCancelled, dispatcher.ReasonStopped
	case automatic && del.Expired(d.now()):
		return dispatcher.StatusExpired, dispatcher.ReasonExpired
	case automatic && del.Ordering == dispatcher.OrderingLatest && del.InLane() && del.Attempts == 0 &&
		c.Newest != "" && c.Newest != del.ID:
		return dispatcher.StatusSuperseded, dispatcher.ReasonSuperseded
	case c.Snapshot == nil:
		return dispatcher.StatusFailed, dispatcher.ReasonPayloadGone
	}
	return "", ""
}

func (d *Deliverer) settle(ctx context.Context, h store.Held, status dispatcher.Status, reason dispatcher.Reason) (Disposition, error) {
	moved, err := d.insistOn(ctx, d.store.Settlement(h, status, reason))
	if err != nil {
		return Disposition{}, err
	}
	d.log.InfoContext(ctx, "delivery.settled", "delivery", h.ID, "order", h.OrderID, "notification", h.NotificationID,
		"status", string(status), "reason", string(reason))
	d.producer.EnqueueNext(ctx, moved)
	return Disposition{}, nil
}
