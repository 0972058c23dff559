package queue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Sweeper looks after deliveries that should have moved and have not: committed but not enqueued, lost by Asynq, in
// flight in a worker that died. Each worker process has one, and several may sweep at once: of two that find the same delivery
// one wins, and the other finds it moved. One Sweeper is used by one goroutine at a time.
type Sweeper struct {
	store    *store.Store
	producer *Producer
	log      *slog.Logger
	metrics  *Metrics
	now      func() time.Time
	quiet    time.Time // no sweep before: Redis was away, and workers may still be recording
	renewed  time.Time // before, a lease that has run out may belong to a worker that lives
	idle     bool      // nothing was overdue
	many     bool      // much was
	next     time.Time // when something will be, if anything is open
	audited  bool      // once at least, by whichever process

	active   map[string]time.Time // tasks that Asynq held active at the last look, and since when that is seen
	activeAt time.Time            // the last look
}

// NewSweeper returns a Sweeper.
func NewSweeper(st *store.Store, p *Producer, log *slog.Logger, m *Metrics, now func() time.Time) *Sweeper {
	if now == nil {
		now = time.Now
	}
	return &Sweeper{store: st, producer: p, log: log, metrics: m, now: now, renewed: now().Add(allRenewed)}
}

const (
	// SweepEvery is the pause between two sweeps while something is overdue. A sweep costs two pipelined round trips.
	SweepEvery = time.Second
	// sweepIdle is the longest pause. Of what is open the sweep knows when the first becomes due, and comes then; what is
	// opened or claimed meanwhile becomes due later than this, after the store's grace of 5 s. So nothing that was lost waits
	// longer than it would with a sweep every second. What may: a parked delivery that expires within seconds is told so as
	// late, and what tidings requeue hastens begins as late.
	sweepIdle = 4 * time.Second
	// EraseEvery is how often what deleted orders left (a crash, an attempt in flight) is looked after.
	EraseEvery = 10 * time.Second
	// TrimEvery is the pause between two rounds over the indexes, to take out what has left by retention.
	TrimEvery = 10 * time.Minute
	// AuditEvery is the pause between two audits of the invariant; of all processes one makes each.
	AuditEvery = 15 * time.Minute
	// AuditAfter is when a process makes its first, unless another has just done so: soon, so that the invariant is told, and not
	// while it has its start to get through. It tries as often while Redis is away.
	AuditAfter = time.Minute
	// allRenewed is how long a new Sweeper leaves leases that have run out to those who hold them. Redis may have been away until
	// just before it was made, and then nobody could renew; those who live have done so by now. What a killed worker leaves has a
	// lease for about as long, and so whoever starts in its place finds it as soon as ever.
	allRenewed = LeaseRenewal + 2*time.Second
	// sweepPerShard bounds one sweep, so that a long backlog does not make it long.
	sweepPerShard = 50
	// leastParked is how long a delivery stays parked at least before its policy gives it up.
	leastParked = 10 * time.Minute
	// stillQueued is when a delivery that Asynq has in its queue is looked at again, and when that is while there are so many that
	// looking at them all takes the sweep that long: Asynq's keyspace may be lost meanwhile.
	stillQueued    = 15 * time.Second
	stillOneOfMany = time.Minute
	manyOverdue    = 500
)

// Run sweeps until the context ends. What takes long (trimming, auditing, erasing) has goroutines of its own, so that
// what was lost does not wait for it.
func (s *Sweeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	again := func(pause func() time.Duration, what string, do func(context.Context) error) {
		wg.Go(func() {
			timer := time.NewTimer(pause())
			defer timer.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-timer.C:
				}
				if err := do(ctx); err != nil && ctx.Err() == nil {
					s.log.WarnContext(ctx, what+".failed", "error", err)
				}
				timer.Reset(pause())
			}
		})
	}
	every := func(pause time.Duration) func() time.Duration { return func() time.Duration { return pause } }
	again(s.pause, "sweep", func(ctx context.Context) error { _, err := s.Sweep(ctx); return err })
	again(every(EraseEvery), "erase", func(ctx context.Context) error { _, err := s.store.Erase(ctx); return err })
	again(every(TrimEvery), "trim", s.trim)
	again(s.untilAudit, "audit", s.Audit)
	wg.Wait()
}

// pause is how long nothing need be swept: until the first delivery is due, if nothing was overdue. It is a little longer, at
// random, so that of several processes mostly one finds what is lost.
func (s *Sweeper) pause() time.Duration {
	if !s.idle {
		return SweepEvery
	}
	pause := sweepIdle
	if !s.next.IsZero() {
		pause = min(s.next.Sub(s.now()), sweepIdle)
	}
	return max(pause, SweepEvery/2) + rand.N(SweepEvery/2)
}

func (s *Sweeper) untilAudit() time.Duration {
	if s.audited {
		return AuditEvery
	}
	return AuditAfter + rand.N(AuditAfter/4)
}

func (s *Sweeper) trim(ctx context.Context) error {
	n, err := s.store.Trim(ctx)
	if n > 0 {
		s.log.InfoContext(ctx, "retention.trimmed", "entries", n)
	}
	return err
}

// Audit checks the invariant, unless another process has just done so, and keeps it for every process to tell by its
// metrics; what is orphaned is logged as an error. tidings check tells the same by hand.
func (s *Sweeper) Audit(ctx context.Context) error {
	mine, err := s.store.BeginAudit(ctx, AuditEvery/2)
	s.audited = s.audited || err == nil
	if err != nil || !mine {
		return err
	}
	a, err := s.store.Audit(ctx)
	if err != nil {
		return err
	}
	if a.Orphaned > 0 {
		s.log.ErrorContext(ctx, "audit.orphaned", "orphaned", a.Orphaned, "of", a.Open, "first", a.Orphans[0].DeliveryID,
			"finding", a.Orphans[0].Finding, "then", "tidings requeue mends it")
	}
	return s.store.KeepAudit(ctx, a)
}

// Sweep looks once and returns how many deliveries it enqueued. Trouble with one delivery does not keep it from others.
func (s *Sweeper) Sweep(ctx context.Context) (enqueued int, err error) {
	s.idle = false
	defer func() {
		if isUnavailable(err) {
			s.quiet = s.now().Add(Lease)
		}
	}()
	if s.now().Before(s.quiet) {
		return 0, s.store.Ping(ctx)
	}
	enqueued, err = s.sweepOverdue(ctx)
	if isUnavailable(err) {
		return enqueued, err
	}
	unclaimed, trouble := s.sweepUnclaimed(ctx)
	return enqueued + unclaimed, errors.Join(err, trouble)
}

// sweepOverdue looks at what should have moved by now.
func (s *Sweeper) sweepOverdue(ctx context.Context) (enqueued int, err error) {
	ids, err := s.store.Overdue(ctx, sweepPerShard)
	if err == nil && len(ids) == 0 {
		s.next, err = s.store.NextDue(ctx)
		s.idle = err == nil
	}
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	s.many = len(ids) > manyOverdue
	held, err := s.store.Read(ctx, ids...)
	known := map[string]bool{}
	var bad *store.UnreadableError
	switch {
	case errors.As(err, &bad):
		for _, id := range bad.IDs {
			known[id] = true
			err = errors.Join(err, s.found(ctx, "unreadable", s.store.Defer(ctx, id, s.now().Add(stillOneOfMany))))
		}
	case err != nil:
		return 0, err
	}
	// Those lost in flight first: somebody waits for them now.
	slices.SortStableFunc(held, func(a, b store.Held) int { return cmp.Compare(b.ClaimedAt.UnixMilli(), a.ClaimedAt.UnixMilli()) })
	for _, h := range held {
		known[h.ID] = true
		again, trouble := s.look(ctx, h)
		if err = errors.Join(err, trouble); isUnavailable(trouble) {
			return enqueued, err
		}
		if again {
			enqueued++
		}
	}
	for _, id := range ids {
		if !known[id] {
			err = errors.Join(err, s.found(ctx, "gone", s.store.Forget(ctx, id)))
		}
	}
	return enqueued, err
}

// look decides about one overdue delivery.
func (s *Sweeper) look(ctx context.Context, h store.Held) (again bool, err error) {
	now := s.now()
	switch {
	case h.Status.Terminal():
		return false, s.found(ctx, "settled", s.store.Forget(ctx, h.ID))
	case now.Before(h.ClaimedAt.Add(Lease)):
		return false, nil // claimed since it was found overdue
	case !h.ClaimedAt.IsZero() && now.Before(s.renewed):
		return false, nil
	case !h.ClaimedAt.IsZero(): // the lease has run out: it is the due time of a claimed delivery
		return true, s.found(ctx, "lost_in_flight", s.reopenLost(ctx, h))
	case h.Status == dispatcher.StatusParked:
		return false, s.found(ctx, "parked", s.parked(ctx, h))
	}
	waiting, err := s.waits(ctx, h)
	if err != nil || waiting {
		return false, err
	}
	info, err := s.producer.taskInfo(taskID(h.ID, h.Generation))
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound):
		return true, s.found(ctx, "not_enqueued", errors.Join(s.producer.announceQueues(ctx), s.reopen(ctx, h)))
	case err != nil:
		if away := s.store.Ping(ctx); away != nil {
			return false, away // could not look: decide nothing
		}
		// Redis answers: it is this task that cannot be read. A new generation leaves it behind.
		return true, s.found(ctx, "unreadable_task", s.reopen(ctx, h))
	case info.State == asynq.TaskStatePending, info.State == asynq.TaskStateScheduled, info.State == asynq.TaskStateRetry:
		switch stands, err := s.producer.hasPlace(ctx, info.Queue, info.ID); {
		case err != nil:
			return false, errors.Join(err, s.store.Ping(ctx)) // could not look: decide nothing
		case !stands:
			return true, s.found(ctx, "stranded", s.reopen(ctx, h))
		}
		again := stillQueued
		if s.many {
			again = stillOneOfMany
		}
		until := now.Add(again)
		if info.NextProcessAt.After(now) {
			until = info.NextProcessAt.Add(again)
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

// parked sees to it that a parked delivery can be found by the keeper, or ends it when it is not wanted any more.
func (s *Sweeper) parked(ctx context.Context, h store.Held) error {
	now := s.now()
	policy, registered, err := s.store.PolicyOf(ctx, h.Delivery)
	settle := func(status dispatcher.Status, reason dispatcher.Reason) error {
		return s.producer.settle(ctx, []string{h.ID}, status, reason)
	}
	switch automatic := h.NextTrigger == dispatcher.TriggerAutomatic; {
	case err != nil:
		return err
	case !registered:
		return settle(dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
	case automatic && h.Expired(now):
		return settle(dispatcher.StatusExpired, dispatcher.ReasonExpired)
	}
	gated, err := s.store.Park(ctx, h.Target, h.Merchant, h.ID)
	if err != nil {
		return err
	}
	gate, err := s.store.ChangeGate(ctx, h.Target, func(g dispatcher.Gate) dispatcher.Gate {
		if gated {
			return g
		}
		return g.Hold(dispatcher.ParkBusy, now)
	})
	if err != nil {
		return err
	}
	// A target that is dead does not keep what is owed to it for ever: it lasts as long as its retries would have.
	if gate.State == dispatcher.GateOpen && now.Sub(h.ParkedAt) > max(policy.Span(h.Counted), leastParked) {
		return settle(dispatcher.StatusFailed, gate.Fault)
	}
	return s.store.Defer(ctx, h.ID, lookAtParked(h.Delivery, now, parkedRecheck))
}

// reopen enqueues a delivery under a new generation; the old task drops itself.
func (s *Sweeper) reopen(ctx context.Context, h store.Held) error {
	return s.reopenBy(ctx, h, s.producer.Enqueue)
}

func (s *Sweeper) reopenBy(ctx context.Context, h store.Held, enqueue func(context.Context, ...dispatcher.Task)) error {
	to := h.Delivery
	to.Generation++
	err := s.store.Reopen(ctx, h, to)
	if errors.Is(err, dispatcher.ErrConflict) {
		return nil // somebody was quicker
	}
	if err != nil {
		return err
	}
	enqueue(ctx, to.Task())
	return nil
}

// reopenLost records the attempt that nobody will record any more, and enqueues the delivery anew. Who was quicker, another sweep or
// a worker, has told of that attempt.
func (s *Sweeper) reopenLost(ctx context.Context, h store.Held) error {
	to, a := dispatcher.Interrupt(h.Delivery, s.now())
	to.Generation++
	moved, err := s.store.Record(ctx, store.Move{From: h, To: to, Attempt: &a, UnlessLate: true})
	if err != nil || moved.Late {
		return err
	}
	s.metrics.attempted(a)
	if to.Status.Terminal() {
		s.producer.EnqueueNext(ctx, moved)
		return nil
	}
	s.producer.enqueueFirst(ctx, to.Task())
	return nil
}

func (s *Sweeper) found(ctx context.Context, what string, err error) error {
	if err == nil {
		s.metrics.swept.WithLabelValues(what).Inc()
		s.log.DebugContext(ctx, "sweep.found", "what", what)
	}
	return err
}
