package queue

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// release gives a claimed delivery back unsent, so that the fault of ours that kept us is not taken for a lost attempt.
func (d *Deliverer) release(ctx context.Context, h store.Held, because error) error {
	to := h.Delivery
	to.ClaimedAt = time.Time{}
	_, err := d.insistOn(ctx, store.Move{From: h, To: to})
	return errors.Join(because, err)
}

func (t *attempt) record(ctx context.Context, to *dispatcher.Delivery, v dispatcher.Verdict) (Disposition, error) {
	told := t.told // which the attempt need not be kept for
	move := store.Move{From: t.h, To: *to, Attempt: &told}
	if to.Status.Terminal() && !v.StopNotification { // else the next would be sent as if nothing had been stopped
		move.Follow = t.follow()
	}
	moved, err := t.insistOn(ctx, move)
	t.report(ctx, &t.h.Delivery, &told, err)
	if err != nil {
		return Disposition{}, err
	}
	t.metrics.attempted(told)
	if v.StopNotification && !t.h.Test { // a test asks, it does not decide
		// Undone by a crash, this is done by the next 410.
		if err := t.store.StopNotification(ctx, t.h.Ref(), *t.n); err != nil {
			t.log.WarnContext(ctx, "notification.stop_failed", "notification", t.h.NotificationID, "error", err)
		}
	}
	if moved.Late { // somebody took the delivery over while we sent: it goes on without us
		return Disposition{}, t.settleLate(ctx, t.h.ID, told)
	}
	t.goOnAfter(ctx, moved, move.Follow)
	if !to.Status.Terminal() {
		if registered, err := t.store.Registered(ctx, *to); err == nil && !registered { // removed while it was in flight
			return t.settle(ctx, moved.Held, dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
		}
	}
	if to.Status.Terminal() {
		return Disposition{GivenUp: to.Status == dispatcher.StatusFailed, Why: why(&told)}, nil
	}
	return Disposition{RetryAt: to.NextAttemptAt, Why: why(&told)}, nil
}

// why names the reason and, where there was an answer, its status.
func why(a *dispatcher.Attempt) string {
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
		d.producer.EnqueueNext(ctx, moved)
	}
	return err
}

// insistOn writes a Move until the store takes it. It is the same Move every time: the store may have taken it though no
// answer came, and then tells again what it released.
func (d *Deliverer) insistOn(ctx context.Context, move store.Move) (moved store.Moved, err error) {
	if move.At.IsZero() {
		move.At = d.now()
	}
	err = d.insist(ctx, move.To.ID, func(ctx context.Context) (err error) {
		moved, err = d.store.Record(ctx, move)
		return err
	})
	return moved, err
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
	move := store.Move{From: h, To: to, Attempt: &a, At: d.now()}
	err := d.insist(ctx, h.ID, func(ctx context.Context) (err error) {
		move.Due = d.now().Add(Lease)
		moved, err = d.store.Record(ctx, move)
		return err
	})
	if err != nil {
		return h, err
	}
	if moved.Late {
		return h, dispatcher.ErrConflict
	}
	d.metrics.attempted(a)
	d.report(ctx, &h.Delivery, &a, nil)
	d.producer.EnqueueNext(ctx, moved)
	return moved.Held, nil
}

// report writes the one line that tells of an attempt.
func (d *Deliverer) report(ctx context.Context, del *dispatcher.Delivery, a *dispatcher.Attempt, err error) {
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
	}
	if !d.log.Enabled(ctx, level) {
		return
	}
	line := append(make([]slog.Attr, 0, 16),
		slog.String("outcome", string(a.Outcome)), slog.String("reason", string(a.Reason)), slog.Int("status", a.StatusCode),
		slog.Int64("ms", a.Duration.Milliseconds()), slog.Int("attempt", a.Number), slog.String("trigger", string(a.Trigger)),
		slog.String("sent", string(a.Sent)), slog.String("merchant", del.Merchant), slog.String("order", del.OrderID),
		slog.Int64("version", del.OrderVersion), slog.String("notification", del.NotificationID),
		slog.String("delivery", del.ID), slog.String("event", a.ID.String()), slog.String("url", a.URL))
	if !a.NextAttemptAt.IsZero() {
		line = append(line, slog.Time("nextAttemptAt", a.NextAttemptAt))
	}
	if err != nil {
		line = append(line, slog.Any("error", err))
	}
	d.log.LogAttrs(ctx, level, "delivery.attempted", line...)
}
