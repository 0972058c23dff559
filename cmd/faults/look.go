package main

import (
	"context"
	"errors"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Watch notes how many deliveries are parked for each target, and when its gate let not everything pass, until the
// context ends.
func (f *Fleet) Watch(ctx context.Context, receivers *Receivers, history *History) (done chan struct{}) {
	done = make(chan struct{})
	var targets []string
	for i := range receivers.all {
		targets = append(targets, receivers.URL(i))
	}
	go func() {
		defer close(done)
		for pause(ctx, 100*time.Millisecond) == nil {
			crowds, err := f.store.Crowds(ctx, targets)
			if err != nil {
				continue // Redis is away: the next look will do
			}
			gates, _, err := f.store.Gates(ctx)
			if err != nil {
				continue
			}
			for i, c := range crowds {
				history.Crowd(targets[i], c.Parked, !gates[targets[i]].Passes())
			}
		}
	}()
	return done
}

// Rest waits until nothing is open, at most patience, and returns how long it took.
func (f *Fleet) Rest(ctx context.Context, patience time.Duration) time.Duration {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		open, _, err := f.store.Backlog(ctx)
		if (err == nil && open == 0) || pause(ctx, 50*time.Millisecond) != nil {
			return time.Since(began)
		}
	}
}

// Look asks the store for the Events of every delivery that was accepted or arrived, and for the invariant.
func (f *Fleet) Look(ctx context.Context, history *History) (map[string]Told, store.Audit, error) {
	told := map[string]Told{}
	rec := history.Snapshot()
	ids := map[string]bool{}
	for _, a := range rec.Accepted {
		ids[a.DeliveryID] = true
	}
	for _, a := range rec.Arrivals {
		ids[a.DeliveryID] = true
	}
	for id := range ids {
		held, attempts, err := f.store.Delivery(ctx, merchant, id)
		if errors.Is(err, dispatcher.ErrNotFound) {
			continue // the judge says what that means
		}
		if err != nil {
			return nil, store.Audit{}, err
		}
		t := Told{Status: held.Status, Made: held.Attempts}
		for _, a := range attempts {
			t.Attempts = append(t.Attempts, tell(a))
		}
		told[id] = t
	}
	audit, err := f.store.Audit(ctx)
	return told, audit, err
}

func tell(a dispatcher.Attempt) TellAttempt {
	t := TellAttempt{EventID: a.ID.String(), Began: a.At, Found: a.At, Interrupted: a.Reason == dispatcher.ReasonInterrupted}
	if t.Interrupted {
		t.Began = a.At.Add(-a.Duration)
		return t
	}
	t.Target, _ = dispatcher.TargetOf(a.URL)
	return t
}
