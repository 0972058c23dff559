package queue

import (
	"context"
	"fmt"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Test sends a notification's target a sample, by the way that every delivery takes: committed whole, enqueued, attempted
// by a worker, recorded as an Event. Errors: ErrNotFound, ErrStopped.
func (p *Producer) Test(ctx context.Context, ref dispatcher.OrderRef, notificationID string) (dispatcher.Delivery, error) {
	var d dispatcher.Delivery
	err := p.Commit(ctx, ref, func(state store.State) (*store.Commit, error) {
		n, ok := state.Notification(notificationID)
		switch {
		case !ok:
			return nil, fmt.Errorf("notification %s: %w", notificationID, dispatcher.ErrNotFound)
		case !n.Stopped.IsZero():
			return nil, fmt.Errorf("notification %s: %w", notificationID, dispatcher.ErrStopped)
		}
		var sample dispatcher.Change
		sample, d = dispatcher.NewTest(state.Order, n, p.now())
		return &store.Commit{Sample: &sample, Deliveries: []dispatcher.Delivery{d}}, nil
	})
	return d, err
}
