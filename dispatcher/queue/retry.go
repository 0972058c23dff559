package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Retried tells which attempt a manual retry brings.
type Retried struct {
	DeliveryID string
	Attempt    int
}

// Retry sends the delivery behind an Event again, at once, with its first body and id. Of a delivery that waits for an
// automatic retry it takes the place. A settled one gets one attempt outside its lane, which is not repeated by itself:
// newer changes may have been delivered since, and an old one must not come again unasked.
// Errors: ErrNotFound, ErrDelivered (without force), ErrInFlight, ErrNotOpen, ErrPayloadGone.
func (p *Producer) Retry(ctx context.Context, merchant, eventID string, force bool) (Retried, error) {
	held, _, err := p.store.Event(ctx, merchant, eventID)
	if err != nil {
		return Retried{}, err
	}
	if err := p.mayRetry(ctx, held.Delivery, force); err != nil {
		return Retried{}, err
	}
	now := p.now()
	to := held.Delivery
	old := taskID(to.ID, to.Generation)
	to.Generation++
	to.NextTrigger, to.NextAttemptAt = dispatcher.TriggerManual, now
	switch {
	case to.Status.Terminal():
		to.Status, to.Lone, to.SettledAt = dispatcher.StatusPending, true, time.Time{}
	case to.Status == dispatcher.StatusParked:
		to.Status = dispatcher.StatusRetrying
	}
	if err := p.store.Reopen(ctx, held, to); err != nil {
		return Retried{}, err
	}
	p.Enqueue(ctx, to.Task())
	// The task whose place was taken would drop itself; deleted it does not mislead operators meanwhile.
	p.deleteTask(old)
	return Retried{DeliveryID: to.ID, Attempt: to.Attempts + 1}, nil
}

func (p *Producer) mayRetry(ctx context.Context, d dispatcher.Delivery, force bool) error {
	switch {
	case d.Test:
		return fmt.Errorf("%w: it was a test; send another one", dispatcher.ErrNotOpen)
	case !d.ClaimedAt.IsZero() && !d.Status.Terminal():
		return fmt.Errorf("delivery %s: %w", d.ID, dispatcher.ErrInFlight)
	case d.Erased:
		return fmt.Errorf("delivery %s: %w", d.ID, dispatcher.ErrPayloadGone)
	case (d.Status == dispatcher.StatusDelivered || d.WasDelivered) && !force:
		return fmt.Errorf("delivery %s: %w", d.ID, dispatcher.ErrDelivered)
	case d.Status == dispatcher.StatusPending:
		return fmt.Errorf("%w: it is about to be sent anyway", dispatcher.ErrNotOpen)
	}
	state, err := p.store.Load(ctx, d.Ref())
	if err != nil {
		return err
	}
	switch n, ok := state.Notification(d.NotificationID); {
	case !ok, !n.Created.Equal(d.Registered): // one that was registered anew under its id is another
		return fmt.Errorf("%w: its notification was removed", dispatcher.ErrNotOpen)
	case !n.Stopped.IsZero():
		return fmt.Errorf("%w: its notification was stopped by the target (410); register it again first", dispatcher.ErrNotOpen)
	}
	return nil
}
