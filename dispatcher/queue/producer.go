package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Producer accepts changes and enqueues what they owe.
type Producer struct {
	store     *store.Store
	rdb       redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
	ringer    *ringer
	fair      *fair
	recent    *recent
	log       *slog.Logger
	metrics   *Metrics
	now       func() time.Time
}

// ProducerConfig of a Producer; without a comment: needed.
type ProducerConfig struct {
	Store   *store.Store
	Redis   redis.UniversalClient
	Bell    *Bell
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time // default time.Now
	// RecentBytes bounds about how much memory is taken for orders that were written lately; default DefaultRecentBytes,
	// and less than 0 means none.
	RecentBytes int
}

// NewProducer returns a Producer. Run must be running for workers in other processes to be woken.
func NewProducer(cfg ProducerConfig) *Producer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.RecentBytes == 0 {
		cfg.RecentBytes = DefaultRecentBytes
	}
	return &Producer{
		store: cfg.Store, rdb: cfg.Redis, client: asynq.NewClientFromRedisClient(cfg.Redis),
		inspector: asynq.NewInspectorFromRedisClient(cfg.Redis), ringer: newRinger(cfg.Bell, cfg.Redis), fair: newFair(cfg.Now),
		recent: newRecent(cfg.RecentBytes, cfg.Now), log: cfg.Log, metrics: cfg.Metrics, now: cfg.Now,
	}
}

// Run wakes workers in other processes, and has what nobody asks for any more leave memory, until the context ends.
func (p *Producer) Run(ctx context.Context) {
	go p.tidy(ctx)
	p.ringer.run(ctx)
}

const (
	// commitTries bounds how often a change is planned anew because somebody else wrote the same order meanwhile.
	commitTries = 50
	// afterCommit bounds what is done at once after a commit; the sweep does the rest.
	afterCommit = 10 * time.Second
	// enqueueTries bounds how often an enqueue is tried before it is left to the sweep.
	enqueueTries = 2
)

// Commit runs prepare on the order as it stands, commits what it returns, and enqueues what can begin; when somebody
// else wrote the order meanwhile, it begins anew. prepare returning a nil Commit means that nothing is to be done.
//
// The first time, prepare may be given the order as this process wrote it last, which saves reading it: the commit is
// refused if it no longer stands so. Whatever else prepare says is not taken for an answer then, only what it says of the
// order as it was just read.
//
// Once Commit has returned nil everything is owed: a failed enqueue is left to the sweep and is no error.
func (p *Producer) Commit(ctx context.Context, ref dispatcher.OrderRef, prepare func(store.State) (*store.Commit, error)) error {
	for try := range commitTries {
		if err := pauseBefore(ctx, try); err != nil {
			return err
		}
		state, remembered, err := p.stateOf(ctx, ref, try == 0)
		if err != nil {
			return err
		}
		commit, err := prepare(state)
		switch {
		case remembered && (err != nil || commit == nil):
			continue // to be said of the order as it stands
		case err != nil || commit == nil:
			return err
		}
		commit.State = state
		done, err := p.store.Commit(ctx, *commit)
		if errors.Is(err, dispatcher.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		p.recent.keep(done.State)
		p.metrics.committed(len(commit.Deliveries), commit.Change != nil)
		p.after(ctx, ref, commit, done.Ready)
		return nil
	}
	return fmt.Errorf("order %s: %d other writers came first: %w", ref.OrderID, commitTries, dispatcher.ErrConflict)
}

// after does what a commit leaves to be done; mostly that is nothing, since what it owes waits in its lanes.
func (p *Producer) after(ctx context.Context, ref dispatcher.OrderRef, c *store.Commit, ready []dispatcher.Task) {
	drops := slices.ContainsFunc(c.Deliveries, func(d dispatcher.Delivery) bool { return d.Ordering == dispatcher.OrderingLatest })
	if len(ready) == 0 && len(c.Remove) == 0 && !drops {
		return
	}
	// What is committed is owed, though the client may have hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterCommit)
	defer cancel()
	p.Enqueue(ctx, ready...)
	p.supersede(ctx, c.Deliveries)
	p.cancel(ctx, ref, c.Remove)
}

// stateOf is the order as this process wrote it last, if it may be that, or as it stands.
func (p *Producer) stateOf(ctx context.Context, ref dispatcher.OrderRef, recent bool) (state store.State, remembered bool, err error) {
	if recent {
		if state, remembered = p.recent.take(ref); remembered {
			return state, true, nil
		}
	}
	state, err = p.store.Load(ctx, ref)
	return state, false, err
}

// pauseBefore spreads writers of one order that keep meeting: the first tries go at once, later ones after a random time.
func pauseBefore(ctx context.Context, try int) error {
	if try < 3 {
		return nil
	}
	pause := time.NewTimer(rand.N(time.Duration(try) * time.Millisecond))
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// supersede settles what ordering "latest" drops now that newer deliveries wait behind it. What a crash here leaves
// undone is done when such a delivery becomes the head of its lane.
func (p *Producer) supersede(ctx context.Context, committed []dispatcher.Delivery) {
	for _, d := range committed {
		if d.Ordering != dispatcher.OrderingLatest {
			continue
		}
		ids, err := p.store.LaneBetween(ctx, d.Ref(), d.NotificationID)
		if err == nil && len(ids) > 0 {
			err = p.settle(ctx, ids, dispatcher.StatusSuperseded, dispatcher.ReasonSuperseded)
		}
		if err != nil {
			p.log.WarnContext(ctx, "delivery.supersede_failed", "order", d.OrderID, "error", err)
		}
	}
}

// cancel settles the open deliveries of removed notifications, newest first, so that none becomes due on the way. What
// a crash here leaves undone is done when the delivery comes to be sent. One in flight ends its attempt first.
func (p *Producer) cancel(ctx context.Context, ref dispatcher.OrderRef, removed []string) {
	if len(removed) == 0 {
		return
	}
	open, err := p.store.OpenDeliveries(ctx, ref)
	var ids []string
	for i := len(open) - 1; i >= 0; i-- {
		for _, id := range removed {
			if open[i].NotificationID == id && open[i].ClaimedAt.IsZero() {
				ids = append(ids, open[i].ID)
			}
		}
	}
	if err == nil {
		err = p.settle(ctx, ids, dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
	}
	if err != nil {
		p.log.WarnContext(ctx, "delivery.cancel_failed", "order", ref.OrderID, "error", err)
	}
}

func (p *Producer) settle(ctx context.Context, ids []string, status dispatcher.Status, reason dispatcher.Reason) error {
	held, err := p.store.Read(ctx, ids...)
	var bad *store.UnreadableError // one that cannot be read keeps no other from being settled
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	for _, h := range held {
		if h.Status.Terminal() || !h.ClaimedAt.IsZero() {
			continue
		}
		moved, trouble := p.store.Settle(ctx, h, status, reason)
		if trouble != nil {
			return errors.Join(err, trouble)
		}
		p.EnqueueNext(ctx, moved)
	}
	return err
}

// DeleteOrder removes an order with everything that hangs on it. ErrNotFound when unknown.
func (p *Producer) DeleteOrder(ctx context.Context, ref dispatcher.OrderRef, check func(store.State) error) error {
	for try := range commitTries {
		if err := pauseBefore(ctx, try); err != nil {
			return err
		}
		state, err := p.store.Load(ctx, ref)
		if err != nil {
			return err
		}
		if !state.Known() {
			return fmt.Errorf("order %s: %w", ref.OrderID, dispatcher.ErrNotFound)
		}
		if err := check(state); err != nil {
			return err
		}
		err = p.store.DeleteOrder(ctx, state)
		p.recent.take(ref)
		if errors.Is(err, dispatcher.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		if err := p.store.EraseOrder(context.WithoutCancel(ctx), ref); err != nil {
			p.log.WarnContext(ctx, "order.erase_failed", "order", ref.OrderID, "error", err, "then", "left to the sweep")
		}
		return nil
	}
	return fmt.Errorf("order %s: %d other writers came first: %w", ref.OrderID, commitTries, dispatcher.ErrConflict)
}
