package queue

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// door is how the keeper lets deliveries out to one target: how many at a time, and how fast. It is kept in memory
// only; a keeper that takes over begins carefully.
type door struct {
	state dispatcher.GateState
	limit int // of attempts let out and not ended; grows while the target copes
	let   int // how many were in flight or let out after the last round
	rate  *rate.Limiter

	fullAt time.Time // since when as many are out as may be
}

const (
	// recoverWith is how many are let out first to a target that comes back, or whose attempts hang.
	recoverWith = 2
	// letOutMost bounds one round at one door.
	letOutMost = 100
	// passOver is how many more of the line are read than may be let out: some may stand there without reason.
	passOver = 8
	// lookMost bounds how far one round looks down a line.
	lookMost = 2000
	// lookAtEmpty is how often a line is looked at in which nobody stood; who is parked in this process rings besides.
	lookAtEmpty = time.Second
	// passUntilClaimed is how long a delivery that was let out keeps its place without being claimed.
	passUntilClaimed = 15 * time.Second
	// endWithin is how long the keeper of a worker that stops may take to end what it has begun at one gate.
	endWithin = 5 * time.Second
)

// attend looks at every gate at which something may be due, in one round trip, and lets out what may go. Trouble with one
// target does not keep it from the others.
func (k *Keeper) attend(ctx context.Context) error {
	gates := k.gate.all()
	due := k.due(gates)
	if len(due) == 0 {
		return nil
	}
	crowds, err := k.store.Crowds(ctx, due)
	if err != nil {
		return err
	}
	for i, target := range due {
		k.hanging[target] = 0
		if mayHang(gates[target]) {
			k.hanging[target] = int(crowds[i].Passes)
		}
		k.lookAt[target] = k.now().Add(attendEvery)
		if crowds[i].Parked == 0 {
			k.lookAt[target] = k.now().Add(lookAtEmpty)
		}
	}
	for i, target := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := k.attendOne(ctx, target, gates[target], crowds[i])
		if isUnavailable(err) {
			return err
		}
		if err != nil {
			k.log.WarnContext(ctx, "keeper.failed", "target", target, "error", err, "then", "again")
		}
	}
	return nil
}

// due lists the targets to look at: those where something was parked or ended in this process, and all from time to time.
// A probe under way is due until it has ended.
func (k *Keeper) due(gates map[string]dispatcher.Gate) (due []string) {
	now, rung := k.now(), k.gate.rung()
	for target, g := range gates {
		if g.State == dispatcher.GateOpen && now.Before(g.ProbeAt) {
			delete(k.hanging, target) // its last probe has ended
			continue
		}
		if rung[target] || !now.Before(k.lookAt[target]) {
			due = append(due, target)
		}
	}
	for target := range k.lookAt {
		if _, kept := gates[target]; !kept {
			delete(k.lookAt, target)
			delete(k.doors, target)
			delete(k.hanging, target)
		}
	}
	return due
}

// attendOne attends to one gate. What it has begun it ends, also when the worker stops meanwhile: what it has let out is
// enqueued, and not left to the sweep.
func (k *Keeper) attendOne(ctx context.Context, target string, g dispatcher.Gate, c store.Crowd) error {
	ctx, cancel := outlasting(ctx, endWithin)
	defer cancel()
	now := k.now()
	switch {
	case g.State == dispatcher.GateOpen && c.Parked == 0:
		if now.Sub(g.ProbeAt) > dispatcher.ForgetGateAfter {
			return k.drained(ctx, target, g.State)
		}
		return nil
	case g.State == dispatcher.GateOpen:
		if c.Passes > 0 || k.roomToHang() <= 0 {
			return nil
		}
		k.hanging[target]++
		return k.letOut(ctx, target, 1, nil)
	case c.Parked == 0 && g.State == dispatcher.GateClosed:
		return nil
	case c.Parked == 0: // what is still in flight does not matter: too much of it makes the gate busy again
		return k.drained(ctx, target, g.State)
	}
	d := k.doorTo(target, g)
	ceiling := k.ceiling(target, g)
	if quick := d.grow(int(c.Passes), ceiling, now); quick && d.limit == ceiling && g.Reason != dispatcher.ParkBusy {
		if err := k.change(ctx, target, dispatcher.Gate.Ease); err != nil {
			return err
		}
	}
	direct := k.gate.without(target)
	n := min(d.limit-int(c.Passes)-direct, int(c.Parked), letOutMost)
	if mayHang(g) {
		n = min(n, k.roomToHang())
		k.hanging[target] += max(n, 0)
	}
	d.let = int(c.Passes) + direct + max(n, 0)
	if n <= 0 {
		return nil
	}
	return k.letOut(ctx, target, n, d)
}

// outlasting returns a context that ends so long after the other has ended.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { forget(); cancel() }
}

// mayHang reports whether what is let out through this gate may well hang until its deadline.
func mayHang(g dispatcher.Gate) bool {
	return g.State == dispatcher.GateOpen || g.State != dispatcher.GateClosed && g.Reason == dispatcher.ParkSlow
}

// roomToHang is how many more of those may be let out. Over all targets, those too that are not looked at in this round, an
// eighth of the pool may hang: probes must not take it.
func (k *Keeper) roomToHang() int {
	room := max(k.gate.pool/8, minShare)
	for _, n := range k.hanging {
		room -= n
	}
	return room
}

// drained closes a gate with an empty line, unless it has moved since. A delivery that is parked just then stood in the
// line before its worker looked for the gate, or finds that there is none; either way one of the two sees the other.
func (k *Keeper) drained(ctx context.Context, target string, state dispatcher.GateState) error {
	err := k.change(ctx, target, func(g dispatcher.Gate) dispatcher.Gate {
		if g.State != state {
			return g
		}
		return g.Drained()
	})
	if err != nil {
		return err
	}
	crowds, err := k.store.Crowds(ctx, []string{target})
	if err != nil || crowds[0].Parked == 0 {
		return err
	}
	return k.change(ctx, target, func(g dispatcher.Gate) dispatcher.Gate { return g.Hold(dispatcher.ParkBusy, k.now()) })
}

// ceiling is what the limit may grow to. A target's attempts that hang, known by the gate's reason or seen in this
// process, leave it less; an operator who has set a limit knows better, but not beyond a target's share.
func (k *Keeper) ceiling(target string, g dispatcher.Gate) int {
	share, least := max(k.gate.pool/targetShare, minShare), max(k.gate.pool/slowShare, minShare)
	switch {
	case g.MaxInFlight > 0:
		return min(g.MaxInFlight, share*max(k.workers, 1))
	case g.Reason == dispatcher.ParkSlow, k.gate.slowOf(target) >= least:
		return least
	}
	return share
}

func (k *Keeper) doorTo(target string, g dispatcher.Gate) *door {
	ceiling := k.ceiling(target, g)
	d := k.doors[target]
	if d == nil {
		d = &door{}
		k.doors[target] = d
	}
	if d.state != g.State {
		d.state, d.let, d.limit = g.State, 0, recoverWith
		if g.State != dispatcher.GateRecovering && g.Reason != dispatcher.ParkSlow {
			d.limit = max(ceiling/2, minShare)
		}
	}
	if g.MaxInFlight > 0 && g.State != dispatcher.GateRecovering {
		d.limit = ceiling
	}
	switch {
	case g.RatePerSecond <= 0:
		d.rate = nil
	case d.rate == nil || d.rate.Limit() != rate.Limit(g.RatePerSecond):
		d.rate = rate.NewLimiter(rate.Limit(g.RatePerSecond), 1)
	}
	return d
}

// grow doubles the limit when all that it allowed was let out and at least half of that has ended; quick says that this
// took less than an attempt that hangs.
func (d *door) grow(passes, ceiling int, now time.Time) (quick bool) {
	if d.let >= d.limit {
		if d.fullAt.IsZero() {
			d.fullAt = now
		}
		if 2*passes <= d.limit {
			quick = now.Sub(d.fullAt) < slowAfter
			d.limit *= 2
			d.fullAt = time.Time{}
		}
	}
	d.limit = min(d.limit, ceiling)
	return quick
}

// allowed is how many may go now by the rate. It holds one round's worth at most, so that a pause saves up nothing.
func (d *door) allowed(now time.Time) int {
	if d == nil || d.rate == nil {
		return letOutMost
	}
	d.rate.SetBurstAt(now, max(1, int(float64(d.rate.Limit())*attendEvery.Seconds())))
	return int(d.rate.TokensAt(now))
}

// pace takes from the rate what n that go use, and returns how many of them may.
func (d *door) pace(n int, now time.Time) int {
	if d == nil || d.rate == nil {
		return n
	}
	for i := range n {
		if !d.rate.AllowN(now, 1) {
			return i
		}
	}
	return n
}
