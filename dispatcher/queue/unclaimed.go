package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

const (
	// activeEvery is the shortest pause between two looks at what Asynq holds active.
	activeEvery = 2 * time.Second
	// unclaimedFor is how long a task must have been seen active with nobody claiming its delivery: a worker that lives claims within
	// milliseconds of dequeueing. Of one that is slower the task drops itself, when its delivery has been enqueued anew.
	unclaimedFor = 4 * time.Second
)

// sweepUnclaimed enqueues anew what a worker that was killed had dequeued and not claimed. Mostly that is overdue seconds after its
// commit, but not what has waited in a backlog: the sweep saw it queued, and looks again after stillQueued.
func (s *Sweeper) sweepUnclaimed(ctx context.Context) (enqueued int, err error) {
	if s.now().Sub(s.activeAt) < activeEvery {
		return 0, nil
	}
	s.activeAt = s.now()
	ids, err := s.producer.activeTasks(ctx)
	if err != nil {
		s.active = nil // could not look: what was seen before may have ended since
		return 0, err
	}
	now, seen, long := s.activeAt, make(map[string]time.Time, len(ids)), []string(nil)
	for _, id := range ids {
		since, again := s.active[id]
		if !again {
			since = now
		}
		seen[id] = since
		if delivery, _, ok := strings.Cut(id, ":"); ok && now.Sub(since) >= unclaimedFor {
			long = append(long, delivery)
		}
	}
	s.active = seen
	open, err := s.store.Unclaimed(ctx, long...) // mostly none: they are claimed, or were the first of a lane that is drained
	if err != nil || len(open) == 0 {
		return 0, err
	}
	held, err := s.store.Read(ctx, open...)
	var bad *store.UnreadableError
	if errors.As(err, &bad) {
		err = nil // the sweep tells of those
	}
	for _, h := range held {
		if _, is := seen[taskID(h.ID, h.Generation)]; !is || !unclaimed(h, now) {
			continue
		}
		trouble := s.found(ctx, "unclaimed", s.reopenBy(ctx, h, s.producer.enqueueFirst))
		if err = errors.Join(err, trouble); isUnavailable(trouble) {
			return enqueued, err
		}
		enqueued++
	}
	return enqueued, err
}

// unclaimed reports whether a delivery with an active task should have been claimed: what is settled was the first of a lane that
// the task's worker drains, what is parked left the pool, and what is not due yet was not dequeued for its attempt.
func unclaimed(h store.Held, now time.Time) bool {
	return h.ClaimedAt.IsZero() && !h.Status.Terminal() && h.Status != dispatcher.StatusParked && !h.NextAttemptAt.After(now)
}
