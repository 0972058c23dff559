package queue

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
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
	defer func() {
		if r := recover(); r != nil { // one order that breaks a format must not break its lane for ever
			d.log.ErrorContext(ctx, "delivery.panicked", "delivery", h.ID, "order", h.OrderID, "panic", r, "stack", string(debug.Stack()))
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
	request, reason, err := d.compose(ctx, h.Delivery, n, snap, a)
	if err != nil {
		return Disposition{}, d.release(ctx, h, err)
	}
	if d.now().Sub(claimed) > Lease/2 {
		return Disposition{}, d.release(ctx, h, errLeaseShort)
	}
	verdict := dispatcher.JudgeFault(reason)
	if reason == "" {
		a.URL = dispatcher.RedactURL(request.URL)
		answer := d.out.Do(ctx, request)
		a.StatusCode, a.Truncated = answer.StatusCode, answer.Truncated
		a.Header, a.Body = scrub(n, request.URL, answer)
		a.Duration, a.RemoteAddress, a.Sent = answer.Duration, answer.RemoteAddress, answer.Sent
		if answer.Reason == "" {
			verdict = dispatcher.JudgeAnswer(answer.StatusCode, answer.Header, d.now())
		} else {
			verdict = dispatcher.JudgeFault(answer.Reason)
		}
	}
	a.Outcome, a.Reason = verdict.Outcome, verdict.Reason
	to := dispatcher.Advance(h.Delivery, n.Retry, verdict, a, d.now(), rand.Float64())
	a.WillRetry, a.NextAttemptAt = !to.Status.Terminal(), to.NextAttemptAt
	return d.record(ctx, h, to, a, verdict, n)
}

// release gives a claimed delivery back unsent, so that the fault of ours that kept us is not taken for a lost attempt.
func (d *Deliverer) release(ctx context.Context, h store.Held, because error) error {
	to := h.Delivery
	to.ClaimedAt = time.Time{}
	return errors.Join(because, d.insist(ctx, h.ID, func(ctx context.Context) error {
		_, err := d.store.Record(ctx, store.Move{From: h, To: to})
		return err
	}))
}

func (d *Deliverer) record(ctx context.Context, h store.Held, to dispatcher.Delivery, a dispatcher.Attempt, v dispatcher.Verdict, n dispatcher.Notification) (Disposition, error) {
	var moved store.Moved
	err := d.insist(ctx, h.ID, func(ctx context.Context) (err error) {
		moved, err = d.store.Record(ctx, store.Move{From: h, To: to, Attempt: &a})
		return err
	})
	d.report(ctx, h.Delivery, a, err)
	if err != nil {
		return Disposition{}, err
	}
	d.metrics.attempted(a)
	if v.StopNotification {
		// Undone by a crash, this is done by the next 410.
		if err := d.store.StopNotification(ctx, h.Ref(), n); err != nil {
			d.log.WarnContext(ctx, "notification.stop_failed", "notification", h.NotificationID, "error", err)
		}
	}
	if moved.Late { // somebody took the delivery over while we sent: it goes on without us
		return Disposition{}, d.settleLate(ctx, h.ID, a)
	}
	d.producer.EnqueueNext(ctx, moved.Next)
	if !to.Status.Terminal() {
		if registered, err := d.store.Registered(ctx, to); err == nil && !registered { // removed while it was in flight
			return d.settle(ctx, moved.Held, dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
		}
	}
	if to.Status.Terminal() {
		return Disposition{GivenUp: to.Status == dispatcher.StatusFailed, Why: why(a)}, nil
	}
	return Disposition{RetryAt: to.NextAttemptAt, Why: why(a)}, nil
}

// why names the reason and, where there was an answer, its status.
func why(a dispatcher.Attempt) string {
	if a.StatusCode == 0 {
		return string(a.Reason)
	}
	return string(a.Reason) + " " + strconv.Itoa(a.StatusCode)
}

// settleLate ends a delivery that was delivered by an attempt whose lease had run out, unless somebody sends it just now.
func (d *Deliverer) settleLate(ctx context.Context, id string, a dispatcher.Attempt) error {
	if a.Outcome != dispatcher.Delivered {
		return nil
	}
	held, err := d.store.Read(ctx, id)
	if err != nil || len(held) == 0 || held[0].Status.Terminal() || !held[0].ClaimedAt.IsZero() {
		return err
	}
	to := held[0].Delivery
	to.Status, to.WasDelivered, to.StatusCode, to.SettledAt = dispatcher.StatusDelivered, true, a.StatusCode, d.now()
	to.Reason, to.NextAttemptAt = "", time.Time{}
	moved, err := d.store.Record(ctx, store.Move{From: held[0], To: to})
	if err == nil {
		d.producer.EnqueueNext(ctx, moved.Next)
	}
	return err
}

// insist writes until the store takes it: a request that went out must not go out again only because Redis was away when
// it was to be recorded, and one that did not must not be taken for lost. It gives up when the process has to end; the
// sweep of another process then records the attempt as interrupted.
func (d *Deliverer) insist(ctx context.Context, deliveryID string, write func(context.Context) error) error {
	pause := 50 * time.Millisecond
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := write(try)
		cancel()
		if err == nil || !isUnavailable(err) {
			return err
		}
		d.log.WarnContext(ctx, "delivery.record_failed", "delivery", deliveryID, "error", err, "then", "again")
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
			pause = min(2*pause, time.Second)
		case <-d.stopping:
			wait.Stop()
			return err
		}
	}
}

// recordLost writes the Event of an attempt that an earlier worker claimed and never recorded, and goes on with this one.
func (d *Deliverer) recordLost(ctx context.Context, h store.Held, claimedAt time.Time) (store.Held, error) {
	lost := h.Delivery
	lost.ClaimedAt = claimedAt
	to, a := dispatcher.Interrupt(lost, d.now())
	if !to.Status.Terminal() {
		to.ClaimedAt, to.NextAttemptAt = h.ClaimedAt, h.NextAttemptAt // this attempt is in flight already
	}
	var moved store.Moved
	err := d.insist(ctx, h.ID, func(ctx context.Context) (err error) {
		moved, err = d.store.Record(ctx, store.Move{From: h, To: to, Attempt: &a, Due: d.now().Add(Lease)})
		return err
	})
	if err != nil {
		return h, err
	}
	if moved.Late {
		return h, dispatcher.ErrConflict
	}
	d.metrics.attempted(a)
	d.report(ctx, h.Delivery, a, nil)
	d.producer.EnqueueNext(ctx, moved.Next)
	return moved.Held, nil
}

// report writes the one line that tells of an attempt.
func (d *Deliverer) report(ctx context.Context, del dispatcher.Delivery, a dispatcher.Attempt, err error) {
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
	}
	var more []any
	if !a.NextAttemptAt.IsZero() {
		more = append(more, "nextAttemptAt", a.NextAttemptAt)
	}
	if err != nil {
		more = append(more, "error", err)
	}
	d.log.Log(ctx, level, "delivery.attempted", append([]any{"outcome", string(a.Outcome), "reason", string(a.Reason),
		"status", a.StatusCode, "ms", a.Duration.Milliseconds(), "attempt", a.Number, "trigger", string(a.Trigger),
		"sent", string(a.Sent), "merchant", del.Merchant, "order", del.OrderID, "version", del.OrderVersion,
		"notification", del.NotificationID, "delivery", del.ID, "event", a.ID.String(), "url", a.URL}, more...)...)
}
