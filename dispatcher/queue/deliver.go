package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
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
	log      *slog.Logger
	metrics  *Metrics
	agent    string
	origin   string // what a target is asked to allow, see handshake
	now      func() time.Time
	stopping <-chan struct{} // closed when the process must not wait any longer
}

// Disposition is what is to become of the task.
type Disposition struct {
	RetryAt time.Time // when the next attempt is due; zero: none
	GivenUp bool      // the delivery has failed for good
	Why     string    // what the attempt met, for operators
}

// Deliver makes one attempt of the task's delivery, if it is still due. An error means that we could not look or not
// write: the target has not been troubled, and the task is to be tried again.
func (d *Deliverer) Deliver(ctx context.Context, t dispatcher.Task) (Disposition, error) {
	began := d.now()
	claim, err := d.store.Claim(ctx, t, Lease)
	if err != nil {
		if claim.State == store.Claimed && claim.Held.ID != "" { // claimed, but what belongs to it cannot be read
			err = d.release(ctx, claim.Held, err)
		}
		return Disposition{}, err
	}
	if claim.State != store.Claimed {
		d.log.DebugContext(ctx, "delivery.dropped", "delivery", t.DeliveryID, "generation", t.Generation, "because", string(claim.State))
		return Disposition{}, nil
	}
	// From here on the attempt is ours: a context that ends (Asynq lost its lease) must not leave it unrecorded.
	ctx = context.WithoutCancel(ctx)
	d.leases.add(t.DeliveryID, d.now())
	defer d.leases.drop(t.DeliveryID)
	d.metrics.inFlight.Inc()
	defer d.metrics.inFlight.Dec()

	held := claim.Held
	if !claim.Lost.IsZero() {
		if held, err = d.recordLost(ctx, held, claim.Lost); err != nil || held.Status.Terminal() {
			return Disposition{GivenUp: held.Status.Terminal(), Why: string(held.Reason)}, err
		}
	}
	if status, reason := d.unwanted(claim, held.Delivery); reason != "" {
		return d.settle(ctx, held, status, reason)
	}
	if held.NextTrigger == dispatcher.TriggerAutomatic && held.NextAttemptAt.After(d.now()) {
		// Asynq lost the retry and ran the task again, or the sweep did: not before its time.
		return Disposition{RetryAt: held.NextAttemptAt, Why: "before its time"}, d.release(ctx, held, nil)
	}
	return d.attempt(ctx, held, *claim.Notification, *claim.Snapshot, began)
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
	var moved store.Moved
	err := d.insist(ctx, h.ID, func(ctx context.Context) (err error) {
		moved, err = d.store.Settle(ctx, h, status, reason)
		return err
	})
	if err != nil {
		return Disposition{}, err
	}
	d.log.InfoContext(ctx, "delivery.settled", "delivery", h.ID, "order", h.OrderID, "notification", h.NotificationID,
		"status", string(status), "reason", string(reason))
	d.producer.EnqueueNext(ctx, moved.Next)
	return Disposition{}, nil
}

// errLeaseShort says that so much of the lease has passed before the request that another worker may soon take over.
var errLeaseShort = errors.New("too much of the lease has passed before the request")

// attempt sends and records. claimed is when the lease was asked for.
func (d *Deliverer) attempt(ctx context.Context, h store.Held, n dispatcher.Notification, snap dispatcher.Snapshot, claimed time.Time) (done Disposition, err error) {
	begun := false // the request: from then on nobody may say that nothing was sent
	defer func() {
		if r := recover(); r != nil { // one order that breaks a format must not break its lane for ever
			d.log.ErrorContext(ctx, "delivery.panicked", "delivery", h.ID, "order", h.OrderID, "panic", r, "stack", string(debug.Stack()))
			if begun {
				err = fmt.Errorf("panic after the request: %v", r) // the sweep finds the attempt interrupted, sent unknown
				return
			}
			done, err = d.settle(ctx, h, dispatcher.StatusFailed, dispatcher.ReasonUnrenderable)
		}
	}()
	began := d.now()
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(began, h.Ref().Shard()), Number: h.Attempts + 1, Trigger: h.NextTrigger,
		At: began, Method: n.Method, URL: dispatcher.RedactURL(n.URL), Sent: dispatcher.SentNo,
	}
	for _, header := range n.Headers {
		a.HeaderNames = append(a.HeaderNames, http.CanonicalHeaderKey(header.Name))
	}
	request, why, err := d.compose(ctx, h.Delivery, n, snap, a)
	if err != nil {
		return Disposition{}, d.release(ctx, h, err)
	}
	if d.now().Sub(claimed) > Lease/2 {
		return Disposition{}, d.release(ctx, h, errLeaseShort)
	}
	verdict := dispatcher.JudgeFault(why.reason)
	a.Detail = dispatcher.Explain(why.detail)
	if why.reason == "" && n.Handshake {
		verdict = d.handshake(ctx, h.Delivery, n, &request, &a)
	}
	if verdict.Reason == "" {
		a.URL = dispatcher.RedactURL(request.URL)
		begun = true
		answer := d.out.Do(ctx, request)
		a.StatusCode, a.Truncated = answer.StatusCode, answer.Truncated
		a.Header, a.Body = scrub(n, request.URL, answer)
		a.Duration, a.RemoteAddress, a.Sent = answer.Duration, answer.RemoteAddress, answer.Sent
		if answer.Reason == "" {
			verdict = dispatcher.JudgeAnswer(answer.StatusCode, answer.Header, d.now())
		} else {
			verdict = dispatcher.JudgeFault(answer.Reason)
			a.Detail = d.explainURL(answer.Reason, request.URL)
		}
	}
	a.Outcome, a.Reason = verdict.Outcome, verdict.Reason
	to := dispatcher.Advance(h.Delivery, n.Retry, verdict, a, d.now(), rand.Float64())
	a.WillRetry, a.NextAttemptAt = !to.Status.Terminal(), to.NextAttemptAt
	return d.record(ctx, h, to, a, verdict, n)
}
