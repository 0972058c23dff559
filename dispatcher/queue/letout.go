package queue

import (
	"context"
	"errors"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// letOut gives up to n of the line their pass, within the door's rate, and enqueues them. Each step leaves, when the
// process dies behind it, something that mends itself: a pass that nobody uses ends, one that still stands in the line
// though it is let out is taken out by the next round, and a delivery that is let out and not enqueued is overdue. They
// leave the line before they are enqueued: afterwards they may be parked again already, and that place is theirs.
func (k *Keeper) letOut(ctx context.Context, target string, n int, d *door) error {
	if n = min(n, d.allowed(k.now())); n <= 0 { // a long line is not to be read for that, ten times a second
		return nil
	}
	ready, gone, err := k.front(ctx, target, n)
	if err != nil {
		return err
	}
	ready = ready[:d.pace(len(ready), k.now())]
	if len(ready) > 0 {
		ids := make([]string, len(ready))
		for i, p := range ready {
			ids[i] = p.held.ID
		}
		if err := k.store.GivePass(ctx, target, k.now().Add(passUntilClaimed), ids...); err != nil {
			return err
		}
	}
	var out []dispatcher.Task
	for _, p := range ready {
		to := p.held.LetOut()
		switch err = k.store.Reopen(ctx, p.held, to); {
		case errors.Is(err, dispatcher.ErrConflict): // somebody moved it first: looked at again
			err = k.store.ReturnPass(ctx, target, to.ID)
		case err == nil:
			out, gone = append(out, to.Task()), append(gone, p.place)
		}
		if err != nil {
			break
		}
	}
	if left := k.store.LeaveLine(ctx, target, gone...); left != nil {
		return errors.Join(err, left) // those that are out are overdue soon
	}
	k.producer.enqueueAhead(ctx, out...)
	return err
}

// parked is a delivery with its place in the line.
type parked struct {
	held  store.Held
	place store.Place
}

// front reads down the line: up to n that may be let out, and those that stand in it without reason. One that is claimed
// is about to be parked, or is just tried by hand: it keeps its place.
func (k *Keeper) front(ctx context.Context, target string, n int) (ready []parked, gone []store.Place, err error) {
	step := int64(n + passOver)
	for from := int64(0); from < lookMost && len(ready) < n; from += step {
		line, err := k.store.Line(ctx, target, from, step)
		if err != nil {
			return nil, nil, err
		}
		ids := make([]string, len(line))
		for i, p := range line {
			ids[i] = p.ID
		}
		held, err := k.store.Read(ctx, ids...)
		var unreadable *store.UnreadableError // the sweep and the audit tell of those
		if err != nil && !errors.As(err, &unreadable) {
			return nil, nil, err
		}
		known := map[string]store.Held{}
		for _, h := range held {
			known[h.ID] = h
		}
		for _, place := range line {
			h, found := known[place.ID]
			switch {
			case found && !h.ClaimedAt.IsZero():
			case !found || h.Status != dispatcher.StatusParked || h.Target != target:
				gone = append(gone, place)
			case len(ready) < n:
				ready = append(ready, parked{h, place})
			}
		}
		if int64(len(line)) < step {
			break
		}
	}
	return ready, gone, nil
}
