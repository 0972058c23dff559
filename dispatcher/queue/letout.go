package queue

import (
	"context"
	"errors"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// letOut gives the first n of the line their pass and enqueues them. Each step leaves, when the process dies behind it,
// something that mends itself: a pass that nobody uses ends, a delivery that is let out and not enqueued is overdue,
// and one that still stands in the line though it is let out is taken out of it by the next round.
func (k *Keeper) letOut(ctx context.Context, target string, n int) error {
	ready, gone, err := k.front(ctx, target, n)
	if err != nil {
		return err
	}
	if len(ready) > 0 {
		ids := make([]string, len(ready))
		for i, h := range ready {
			ids[i] = h.ID
		}
		if err := k.store.GivePass(ctx, target, k.now().Add(passUntilClaimed), ids...); err != nil {
			return err
		}
	}
	for _, h := range ready {
		to := h.LetOut()
		switch err := k.store.Reopen(ctx, h, to); {
		case errors.Is(err, dispatcher.ErrConflict): // somebody moved it first: looked at again
			if err := k.store.ReturnPass(ctx, target, h.ID); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			k.producer.enqueueAhead(ctx, to.Task())
			gone = append(gone, h.ID)
		}
	}
	return k.store.LeaveLine(ctx, target, gone...)
}

// front reads the first of the line: up to n that may be let out, and those that stand in it without reason. One that
// is claimed is about to be parked, or is just tried by hand: it keeps its place.
func (k *Keeper) front(ctx context.Context, target string, n int) (ready []store.Held, gone []string, err error) {
	ids, err := k.store.Line(ctx, target, int64(n+passOver))
	if err != nil || len(ids) == 0 {
		return nil, nil, err
	}
	held, err := k.store.Read(ctx, ids...)
	var unreadable *store.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		gone = append(gone, unreadable.IDs...) // the sweep and the audit tell of them
	case err != nil:
		return nil, nil, err
	}
	known := map[string]bool{}
	for _, h := range held {
		known[h.ID] = true
		switch {
		case !h.ClaimedAt.IsZero():
		case h.Status != dispatcher.StatusParked || h.Target != target:
			gone = append(gone, h.ID)
		case len(ready) < n:
			ready = append(ready, h)
		}
	}
	for _, id := range ids {
		if !known[id] {
			gone = append(gone, id)
		}
	}
	return ready, gone, nil
}
