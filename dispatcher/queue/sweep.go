package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Sweeper looks after deliveries that should have moved and have not: committed but not enqueued, lost by Asynq, in
// flight in a worker that died. Each process has one, and several may sweep at once: of two that find the same delivery
// one wins, and the other finds it moved. One Sweeper is used by one goroutine at a time.
type Sweeper struct {
	store    *store.Store
	producer *Producer
	log      *slog.Logger
	metrics  *Metrics
	now      func() time.Time
	quiet    time.Time // no sweep before: Redis was away, and workers may still be recording
	erased   time.Time // when deleted orders were last looked after
}

// NewSweeper returns a Sweeper.
func NewSweeper(st *store.Store, p *Producer, log *slog.Logger, m *Metrics, now func() time.Time) *Sweeper {
	if now == nil {
		now = time.Now
	}
	return &Sweeper{store: st, producer: p, log: log, metrics: m, now: now}
}

const (
	// SweepEvery is the pause between two sweeps; an idle sweep costs one pipelined round trip.
	SweepEvery = time.Second
	// EraseEvery is how often what deleted orders left (a crash, an attempt in flight) is looked after.
	EraseEvery = 10 * time.Second
	// TrimEvery is the pause between two rounds over the indexes, to take out what has left by retention.
	TrimEvery = 10 * time.Minute
	// AuditEvery is the pause between two audits of the invariant; of all processes one makes each.
	AuditEvery = 15 * time.Minute
	// sweepPerShard bounds one sweep, so that a long backlog does not make it long.
	sweepPerShard = 50
	// stillQueued is when a delivery that Asynq has in its queue is looked at again.
	stillQueued = time.Minute
)

// Run sweeps until the context ends.
func (s *Sweeper) Run(ctx context.Context) {
	sweep, trim, audit := time.NewTicker(SweepEvery), time.NewTicker(TrimEvery), time.NewTicker(AuditEvery)
	defer sweep.Stop()
	defer trim.Stop()
	defer audit.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-trim.C:
			if n, err := s.store.Trim(ctx); err != nil {
				s.log.WarnContext(ctx, "retention.trim_failed", "error", err)
			} else if n > 0 {
				s.log.InfoContext(ctx, "retention.trimmed", "entries", n)
			}
		case <-audit.C:
			if err := s.Audit(ctx); err != nil {
				s.log.WarnContext(ctx, "audit.failed", "error", err)
			}
		case <-sweep.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "sweep.failed", "error", err)
			}
		}
	}
}

// Audit checks the invariant, unless another process has just done so, and tells it by metrics; what is orphaned is
// logged as an error. tidings check tells the same by hand.
func (s *Sweeper) Audit(ctx context.Context) error {
	mine, err := s.producer.rdb.SetNX(ctx, "td:audit", "", AuditEvery/2).Result()
	if err != nil || !mine {
		return err
	}
	a, err := s.store.Audit(ctx)
	if err != nil {
		return err
	}
	s.metrics.audited(a)
	if a.Orphaned > 0 {
		s.log.ErrorContext(ctx, "audit.orphaned", "orphaned", a.Orphaned, "of", a.Open, "first", a.Orphans[0].DeliveryID,
			"finding", a.Orphans[0].Finding, "then", "tidings requeue mends it")
	}
	return nil
}

// Sweep looks once and returns how many deliveries it enqueued.
func (s *Sweeper) Sweep(ctx context.Context) (enqueued int, err error) {
	defer func() {
		if isUnavailable(err) {
			s.quiet = s.now().Add(Lease)
		}
	}()
	if s.now().Before(s.quiet) {
		return 0, s.store.Ping(ctx)
	}
	if s.now().Sub(s.erased) >= EraseEvery {
		if _, err := s.store.Erase(ctx); err != nil {
			return 0, err
		}
		s.erased = s.now()
	}
	ids, err := s.store.Overdue(ctx, sweepPerShard)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	held, err := s.store.Read(ctx, ids...)
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, h := range held {
		known[h.ID] = true
		again, err := s.look(ctx, h)
		if err != nil {
			return enqueued, err
		}
		if again {
			enqueued++
		}
	}
	for _, id := range ids {
		if !known[id] {
			if err := s.found(ctx, "gone", s.store.Forget(ctx, id)); err != nil {
				return enqueued, err
			}
		}
	}
	return enqueued, nil
}

// look decides about one overdue delivery.
func (s *Sweeper) look(ctx context.Context, h store.Held) (again bool, err error) {
	now := s.now()
	switch {
	case h.Status.Terminal():
		return false, s.found(ctx, "settled", s.store.Forget(ctx, h.ID))
	case now.Before(h.ClaimedAt.Add(Lease)):
		return false, nil // claimed since it was found overdue
	case !h.ClaimedAt.IsZero(): // the lease has run out: it is the due time of a claimed delivery
		return true, s.found(ctx, "lost_in_flight", s.reopenLost(ctx, h))
	}
	waiting, err := s.waits(ctx, h)
	if err != nil || waiting {
		return false, err
	}
	info, err := s.producer.inspector.GetTaskInfo(Name, taskID(h.ID, h.Generation))
	switch {
	case errors.Is(err, asynq.ErrQueueNotFound):
		return true, s.found(ctx, "not_enqueued", errors.Join(s.producer.announceQueue(ctx), s.reopen(ctx, h)))
	case errors.Is(err, asynq.ErrTaskNotFound):
		return true, s.found(ctx, "not_enqueued", s.reopen(ctx, h))
	case err != nil:
		return false, errors.Join(dispatcher.ErrUnavailable, err) // could not look: decide nothing
	case info.State == asynq.TaskStatePending, info.State == asynq.TaskStateScheduled, info.State == asynq.TaskStateRetry:
		until := now.Add(stillQueued)
		if info.NextProcessAt.After(now) {
			until = info.NextProcessAt.Add(stillQueued)
		}
		return false, s.found(ctx, "queued", s.store.Defer(ctx, h.ID, until))
	}
	// Active though nobody claimed it, or archived, or completed: Asynq will not run it (again).
	return true, s.found(ctx, "stuck_"+info.State.String(), s.reopen(ctx, h))
}

// waits looks whether the delivery is only waiting in its lane, and if so puts it off.
func (s *Sweeper) waits(ctx context.Context, h store.Held) (bool, error) {
	if !h.InLane() {
		return false, nil
	}
	ahead, err := s.store.Waits(ctx, h.Delivery)
	if err != nil || !ahead {
		return false, err
	}
	return true, s.found(ctx, "waiting", nil)
}

// reopen enqueues a delivery under a new generation; the old task drops itself.
func (s *Sweeper) reopen(ctx context.Context, h store.Held) error {
	to := h.Delivery
	to.Generation++
	err := s.store.Reopen(ctx, h, to)
	if errors.Is(err, dispatcher.ErrConflict) {
		return nil // somebody was quicker
	}
	if err != nil {
		return err
	}
	s.producer.Enqueue(ctx, to.Task())
	return nil
}

// reopenLost records the attempt that nobody will record any more, and enqueues the delivery anew.
func (s *Sweeper) reopenLost(ctx context.Context, h store.Held) error {
	a := h.Interrupted(h.ClaimedAt, s.now())
	to := h.Delivery
	to.Attempts++
	to.Generation++
	to.ClaimedAt = time.Time{}
	to.NextAttemptAt = s.now()
	a.WillRetry, a.NextAttemptAt = true, to.NextAttemptAt
	moved, err := s.store.Record(ctx, store.Move{From: h, To: to, Attempt: &a})
	if err != nil || moved.Late {
		return err
	}
	s.metrics.attempted(a)
	s.producer.Enqueue(ctx, to.Task())
	return nil
}

func (s *Sweeper) found(ctx context.Context, what string, err error) error {
	if err == nil {
		s.metrics.swept.WithLabelValues(what).Inc()
		s.log.DebugContext(ctx, "sweep.found", "what", what)
	}
	return err
}
