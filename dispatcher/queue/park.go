package queue

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

const (
	// parkedCheck is when the sweep looks at a parked delivery first: it sees to it that the keeper can find it.
	parkedCheck = 10 * time.Minute
	// parkedRecheck is when it looks again at one that the keeper can find.
	parkedRecheck = time.Hour
)

// park takes a delivery that may not be sent now out of the worker pool. It enters the line first and is recorded as
// parked then: a process that dies in between leaves an attempt that the sweep finds lost, as everywhere else.
func (d *Deliverer) park(ctx context.Context, h store.Held, target string, why dispatcher.ParkReason) (Disposition, error) {
	gated, err := d.store.Park(ctx, target, h.Merchant, h.ID)
	if err == nil && !gated {
		hold := dispatcher.ParkBusy // also where the gate of which we knew has closed meanwhile
		if why == dispatcher.ParkSlow && d.gate.of(target).State == dispatcher.GateClosed {
			hold = why
		}
		err = d.changeGate(ctx, target, func(g dispatcher.Gate) dispatcher.Gate { return g.Hold(hold, d.now()) })
	}
	if err != nil {
		return Disposition{}, d.release(ctx, h, err)
	}
	to := h.Park(target, why, d.now())
	if _, err := d.insistOn(ctx, store.Move{From: h, To: to, Due: lookAtParked(to, d.now(), parkedCheck)}); err != nil {
		return Disposition{}, err
	}
	d.metrics.parked.WithLabelValues(string(why)).Inc()
	d.log.DebugContext(ctx, "delivery.parked", "delivery", h.ID, "order", h.OrderID, "target", target, "because", string(why))
	d.gate.ring(target)
	d.wakeKeeper()
	return Disposition{}, nil
}

// lookAtParked is when the sweep looks at a parked delivery: at random, so that many that were parked together are not
// looked at together; at its expiry in any case.
func lookAtParked(h dispatcher.Delivery, now time.Time, pause time.Duration) time.Time {
	at := now.Add(pause + rand.N(pause/2))
	if h.NextTrigger == dispatcher.TriggerAutomatic && !h.ExpiresAt.IsZero() && h.ExpiresAt.Before(at) {
		return h.ExpiresAt
	}
	return at
}

// account tells the target's gate what an attempt taught: that its breaker is to open, or what a probe found.
func (d *Deliverer) account(ctx context.Context, p *Passage, v dispatcher.Verdict, a dispatcher.Attempt, trip bool) {
	var change func(dispatcher.Gate) dispatcher.Gate
	switch health := v.Health(a.StatusCode); {
	case trip:
		change = func(g dispatcher.Gate) dispatcher.Gate { return g.Trip(v.Reason, d.now(), rand.Float64()) }
	case !p.probe || !d.gate.mayBeOpen(p.target):
		return
	case health == dispatcher.HealthGood:
		change = dispatcher.Gate.Recover
	case health != dispatcher.HealthUnknown && p.pass:
		change = func(g dispatcher.Gate) dispatcher.Gate { return g.ProbeFailed(v.Reason, d.now(), rand.Float64()) }
	default:
		return
	}
	if err := d.changeGate(ctx, p.target, change); err != nil {
		d.log.WarnContext(ctx, "gate.change_failed", "target", p.target, "error", err, "then", "the next attempt tells it")
	}
}

func (d *Deliverer) changeGate(ctx context.Context, target string, change func(dispatcher.Gate) dispatcher.Gate) error {
	was := d.gate.of(target)
	to, err := d.store.ChangeGate(ctx, target, change)
	if err != nil {
		return err
	}
	d.gate.set(target, to)
	if was.State != to.State {
		d.log.InfoContext(ctx, "gate.changed", "target", target, "from", string(was.State), "to", string(to.State),
			"because", string(to.Reason), "fault", string(to.Fault))
	}
	d.wakeKeeper()
	return nil
}

// returnPass gives back the place of a delivery that the keeper had let out.
func (d *Deliverer) returnPass(ctx context.Context, h store.Held) {
	if !h.Pass {
		return
	}
	if err := d.store.ReturnPass(ctx, h.Target, h.ID); err != nil {
		d.log.WarnContext(ctx, "pass.return_failed", "target", h.Target, "error", err, "then", "it ends by itself")
	}
	d.gate.ring(h.Target)
	d.wakeKeeper()
}

func (d *Deliverer) wakeKeeper() {
	select {
	case d.keeper <- struct{}{}:
	default: // it is awake
	}
}
