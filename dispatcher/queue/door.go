package queue

import (
	"context"
	"errors"
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
	let   int // how many there were after the last round
	rate  *rate.Limiter
}

const (
	// recoverWith is how many are let out first to a target that comes back, or whose attempts hang.
	recoverWith = 2
	// letOutMost bounds one round at one door.
	letOutMost = 100
	// passOver is how many more of the line are read than may be let out: some may stand there without reason.
	passOver = 8
	// passUntilClaimed is how long a delivery that was let out keeps its place without being claimed.
	passUntilClaimed = 15 * time.Second
)

// attend looks at every gate at which something may be due, in one round trip, and lets out what may go.
func (k *Keeper) attend(ctx context.Context) error {
	now, gates := k.now(), k.gate.all()
	var due []string
	for target, g := range gates {
		if g.State != dispatcher.GateOpen || !now.Before(g.ProbeAt) { // a probe under way is due until it has ended
			due = append(due, target)
		}
	}
	k.hanging = 0
	for target := range k.doors {
		if _, kept := gates[target]; !kept {
			delete(k.doors, target)
		}
	}
	if len(due) == 0 {
		return nil
	}
	crowds, err := k.store.Crowds(ctx, due)
	if err != nil {
		return err
	}
	for i, target := range due {
		if mayHang(gates[target]) {
			k.hanging += int(crowds[i].Passes)
		}
	}
	for i, target := range due {
		if err := k.attendOne(ctx, target, gates[target], crowds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) attendOne(ctx context.Context, target string, g dispatcher.Gate, c store.Crowd) error {
	now := k.now()
	if g.State == dispatcher.GateOpen {
		switch {
		case c.Parked == 0 && now.Sub(g.ProbeAt) > dispatcher.ForgetGateAfter:
			return k.change(ctx, target, func(g dispatcher.Gate) dispatcher.Gate { return g.Recover().Drained() })
		case c.Parked > 0 && c.Passes == 0 && k.hanging < k.mayHang():
			k.hanging++
			return k.letOut(ctx, target, 1)
		}
		return nil
	}
	if c.Parked == 0 {
		if c.Passes == 0 && g.State != dispatcher.GateClosed {
			return k.drained(ctx, target)
		}
		return nil
	}
	d := k.doorTo(target, g)
	d.grow(int(c.Passes), k.ceiling(g))
	n := min(d.limit-int(c.Passes)-k.gate.without(target), int(c.Parked), letOutMost)
	if mayHang(g) {
		n = min(n, k.mayHang()-k.hanging)
		k.hanging += max(n, 0)
	}
	n = d.pace(n, now)
	d.let = int(c.Passes) + max(n, 0)
	if n <= 0 {
		return nil
	}
	return k.letOut(ctx, target, n)
}

// mayHang reports whether what is let out through this gate may well hang until its deadline.
func mayHang(g dispatcher.Gate) bool {
	return g.State == dispatcher.GateOpen || g.State != dispatcher.GateClosed && g.Reason == dispatcher.ParkSlow
}

// mayHang is how many of those are let out at a time, over all targets: probes must not take the pool.
func (k *Keeper) mayHang() int { return max(k.gate.pool/8, minShare) }

// drained closes a gate with an empty line. A delivery that is parked just then stood in the line before its worker
// looked for the gate, or finds that there is none; either way one of the two sees the other.
func (k *Keeper) drained(ctx context.Context, target string) error {
	if err := k.change(ctx, target, dispatcher.Gate.Drained); err != nil {
		return err
	}
	crowds, err := k.store.Crowds(ctx, []string{target})
	if err != nil || crowds[0].Parked == 0 {
		return err
	}
	return k.change(ctx, target, func(g dispatcher.Gate) dispatcher.Gate { return g.Hold(dispatcher.ParkBusy, k.now()) })
}

// ceiling is what the limit may grow to.
func (k *Keeper) ceiling(g dispatcher.Gate) int {
	switch {
	case g.MaxInFlight > 0:
		return g.MaxInFlight
	case g.Reason == dispatcher.ParkSlow:
		return max(k.gate.pool/slowShare, minShare)
	}
	return max(k.gate.pool/targetShare, minShare)
}

func (k *Keeper) doorTo(target string, g dispatcher.Gate) *door {
	d := k.doors[target]
	if d == nil || d.state != g.State {
		d = &door{state: g.State, limit: recoverWith}
		if g.State != dispatcher.GateRecovering && g.Reason != dispatcher.ParkSlow {
			d.limit = max(k.ceiling(g)/2, minShare)
		}
		k.doors[target] = d
	}
	if g.MaxInFlight > 0 && g.State != dispatcher.GateRecovering {
		d.limit = g.MaxInFlight
	}
	switch {
	case g.RatePerSecond <= 0:
		d.rate = nil
	case d.rate == nil || d.rate.Limit() != rate.Limit(g.RatePerSecond):
		d.rate = rate.NewLimiter(rate.Limit(g.RatePerSecond), 1)
	}
	return d
}

// grow doubles the limit when all that it allowed was let out and at least half of that has ended.
func (d *door) grow(passes, ceiling int) {
	if d.let >= d.limit && 2*passes <= d.limit {
		d.limit *= 2
	}
	d.limit = min(d.limit, ceiling)
}

// pace returns how many of n may go by the rate. It holds one round's worth at most, so that a pause saves up nothing.
func (d *door) pace(n int, now time.Time) int {
	if d.rate == nil {
		return n
	}
	d.rate.SetBurstAt(now, max(1, int(float64(d.rate.Limit())*attendEvery.Seconds())))
	for i := range n {
		if !d.rate.AllowN(now, 1) {
			return i
		}
	}
	return n
}

// letOut gives the first n of the line their pass and enqueues them. Each step leaves, when the process dies behind it,
// something that mends itself: a pass that nobody uses ends, one that still stands in the line though it is let out is
// taken out of it by the next round, and a delivery that is let out and not enqueued is overdue. They leave the line
// before they are enqueued: afterwards they may be parked again already, and that place is theirs.
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
	var out []dispatcher.Task
	for _, h := range ready {
		to := h.LetOut()
		switch err = k.store.Reopen(ctx, h, to); {
		case errors.Is(err, dispatcher.ErrConflict): // somebody moved it first: looked at again
			err = k.store.ReturnPass(ctx, target, h.ID)
		case err == nil:
			out, gone = append(out, to.Task()), append(gone, h.ID)
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
