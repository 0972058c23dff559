package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Keeper looks after the gates of all targets. In every worker process it reads them for the process' own Gate and
// reports what the process counted; in one process at a time, the one that has the turn, it lets parked deliveries out:
// one probe to a target that fails, few and then more to one that recovers, and never more than a limit allows.
type Keeper struct {
	store    *store.Store
	producer *Producer
	gate     *Gate
	log      *slog.Logger
	metrics  *Metrics
	now      func() time.Time
	process  string
	woken    chan struct{}
	changed  <-chan struct{} // told of a gate that changed in whatever process

	version            string // of the gates that were read last
	stale              bool   // a gate has changed since
	mine               bool   // the turn
	doors              map[string]*door
	lookAt             map[string]time.Time // when a gate is looked at next, unless it rings
	workers            int                  // that live
	hanging            map[string]int       // let out by target, as last looked at, where it may hang
	readAt, reportedAt time.Time
	turnAt             time.Time
}

const (
	// readGatesEvery is how late a process learns of a gate that another changed when nothing tells it so: the other died
	// before it could, or there is no connection to hear it by.
	readGatesEvery = reportEvery / 2
	// readGatesAtMost is the shortest pause between two readings, however many gates change: how late a process learns of
	// one that it is told of.
	readGatesAtMost = 250 * time.Millisecond
	// attendEvery is the pause between two rounds over the gates, unless an attempt that ended rings for one.
	attendEvery = 100 * time.Millisecond
	// attendAtMost is the shortest pause between two rounds, however often it rings.
	attendAtMost = 10 * time.Millisecond
	// reportEvery is how often what was counted of targets is told to others.
	reportEvery = 5 * time.Second
	// keeperTurn is how long a keeper that was killed keeps others from taking over.
	keeperTurn = 5 * time.Second
)

// NewKeeper returns the keeper of a worker.
func NewKeeper(w *Worker) *Keeper {
	return &Keeper{
		store: w.cfg.Store, producer: w.cfg.Producer, gate: w.deliverer.gate, log: w.cfg.Log, metrics: w.cfg.Metrics,
		now: w.cfg.Now, process: rand.Text(), woken: w.deliverer.keeper, changed: w.cfg.Bell.gates,
		doors: map[string]*door{}, hanging: map[string]int{}, lookAt: map[string]time.Time{},
	}
}

// begin reads the gates for the first time: a worker that knew of none would send past them all. It does not wait for a
// Redis that is away; a worker that cannot read gates can claim nothing either, and reads them when it can.
func (k *Keeper) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := k.read(ctx); err != nil {
		k.log.WarnContext(ctx, "gates.read_failed", "error", err, "then", "again, beside the first attempts")
	}
}

// Run works until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	defer k.resign(context.WithoutCancel(ctx))
	pause := time.NewTimer(0)
	defer pause.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.woken:
		case <-k.changed:
			k.stale = true
		case <-pause.C:
		}
		if early := attendAtMost - time.Since(last); early > 0 {
			pause.Reset(early)
			continue
		}
		last = time.Now()
		if err := k.Round(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "keeper.failed", "error", err, "then", "again")
			k.stale = true
		}
		pause.Reset(k.pause())
	}
}

// pause is how long nothing need be done, unless somebody rings. While all gates are closed that is long: what others
// change is told, and nothing is let out.
func (k *Keeper) pause() time.Duration {
	gates := len(k.gate.all()) > 0
	switch {
	case gates && k.mine:
		return attendEvery
	case k.stale:
		return readGatesAtMost
	case gates:
		return keeperTurn / 4
	}
	return readGatesEvery
}

// Round reads the gates, reports, and lets out what may go, each when it is time.
func (k *Keeper) Round(ctx context.Context) error {
	now := k.now()
	if now.Sub(k.reportedAt) >= reportEvery {
		k.reportedAt = now
		if err := k.report(ctx); err != nil { // it is for people
			k.log.WarnContext(ctx, "keeper.report_failed", "error", err)
		}
	}
	if read := now.Sub(k.readAt); read >= readGatesEvery || k.stale && read >= readGatesAtMost {
		if err := k.read(ctx); err != nil {
			return err
		}
		k.readAt, k.stale = now, false
	}
	if len(k.gate.all()) == 0 {
		return nil
	}
	if now.Sub(k.turnAt) >= keeperTurn/4 {
		mine, err := k.store.Keeper(ctx, k.process, keeperTurn)
		if k.mine = mine; err != nil {
			return err
		}
		k.turnAt = now
	}
	if !k.mine {
		k.gate.rung() // whoever has the turn looks by himself; kept, they would become more and more
		return nil
	}
	return k.attend(ctx)
}

// read learns the gates, if any has changed.
func (k *Keeper) read(ctx context.Context) error {
	version, err := k.store.GatesVersion(ctx)
	if err != nil || version == k.version {
		return err
	}
	gates, version, err := k.store.Gates(ctx)
	if err != nil {
		return err
	}
	k.gate.learn(gates)
	k.version = version
	return nil
}

// report tells what was counted. What a report that fails had counted is lost: it is for people.
func (k *Keeper) report(ctx context.Context) error {
	counted, inFlight := k.gate.report()
	workers, err := k.store.ReportTargets(ctx, k.process, counted, inFlight)
	if err != nil {
		return err
	}
	k.workers = workers
	k.gate.divide(workers)
	return nil
}

func (k *Keeper) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := k.store.ForgetWorker(ctx, k.process)
	if k.mine {
		err = errors.Join(err, k.store.ResignKeeper(ctx, k.process))
	}
	if err != nil {
		k.log.WarnContext(ctx, "keeper.resign_failed", "error", err, "then", "the turn ends by itself")
	}
}

// change changes a gate for every process, for this one at once.
func (k *Keeper) change(ctx context.Context, target string, change func(dispatcher.Gate) dispatcher.Gate) error {
	to, err := k.store.ChangeGate(ctx, target, change)
	if err != nil {
		return err
	}
	k.gate.set(target, to)
	return nil
}
