package dispatcher

import "time"

// GateState says how deliveries pass to a target.
//
//	          more is owed than may be in flight
//	   +----------------------------------------> busy ----+
//	   |                                           |        | the backlog is gone
//	closed <---------------------------------------|--------+
//	   |  ^                                        |
//	   |  | the backlog is gone    trouble         v
//	   |  +------- recovering ----------------> open
//	   |               ^                          |  ^ |
//	   |               +--------------------------+  +-+ a probe failed: a longer pause
//	   |                 a probe came through        |
//	   +---------------------------------------------+
//	     trouble, one after another
//
// One that is recovering becomes busy when the target copes with a full share: then it is a mere crowd.
//
// Closed is the breaker's word: a closed circuit conducts. In every other state whatever is owed to the target is
// parked in the store, outside the worker pool, and let out by the keeper.
type GateState string

const (
	GateClosed     GateState = "closed"     // deliveries pass; also where there is no gate at all
	GateBusy       GateState = "busy"       // let out as attempts end, oldest first; leaves when the backlog is gone
	GateOpen       GateState = "open"       // nothing but one probe at a time, with growing pauses
	GateRecovering GateState = "recovering" // a probe came through: let out few at first, then more
)

// ParkReason is why a delivery was parked. The set is closed: it is a metric label.
type ParkReason string

const (
	ParkBusy    ParkReason = "busy"    // as many attempts are in flight to the target as may be
	ParkSlow    ParkReason = "slow"    // attempts to the target hang
	ParkRetries ParkReason = "retries" // retries may not take the last places from first attempts
	ParkTrouble ParkReason = "trouble" // the target fails: its breaker is open, or only just closed again
	ParkPaced   ParkReason = "paced"   // the target has a limit of its own, or others are parked before it
)

// ParkReasons lists the closed set.
var ParkReasons = []ParkReason{ParkBusy, ParkSlow, ParkRetries, ParkTrouble, ParkPaced}

const (
	// FirstProbePause is the pause before the first probe of a target that fails; each failed probe doubles it.
	FirstProbePause = time.Second
	// MaxProbePause bounds the pause: so long after a target came back is it noticed at the latest.
	MaxProbePause = 30 * time.Second
	// probeJitter spreads probes of many targets that failed together over [pause, pause*(1+probeJitter)).
	probeJitter = 0.2
	// ForgetGateAfter is how long after its last probe an open gate with nothing parked is kept.
	ForgetGateAfter = 10 * time.Minute
)

// Limits of a target's settings.
const (
	MaxTargetInFlight = 1000
	MinTargetRate     = 0.01
	MaxTargetRate     = 10_000
)

// Gate is what stands between the workers and one target.
type Gate struct {
	State   GateState     `json:"state"`
	Reason  ParkReason    `json:"reason,omitempty"` // why it is not closed
	Fault   Reason        `json:"fault,omitempty"`  // what opened it last
	Since   time.Time     `json:"since,omitzero"`   // when it left closed
	Pause   time.Duration `json:"pause,omitempty"`  // before the next probe
	ProbeAt time.Time     `json:"probeAt,omitzero"`
	// Set by an operator, for a target that needs protection. 0: no limit of its own.
	MaxInFlight   int     `json:"maxInFlight,omitempty"`
	RatePerSecond float64 `json:"ratePerSecond,omitempty"`
}

// Limited reports whether an operator has set a limit: then every delivery to the target is let out by the keeper.
func (g Gate) Limited() bool { return g.MaxInFlight > 0 || g.RatePerSecond > 0 }

// Passes reports whether deliveries may pass without asking the keeper.
func (g Gate) Passes() bool { return (g.State == GateClosed || g.State == "") && !g.Limited() }

// Forgettable reports whether the gate says nothing that must be kept.
func (g Gate) Forgettable() bool { return g.Passes() }

// Limit sets or takes away (0) the limits of an operator. What was parked for a limit that is taken away is let out.
func (g Gate) Limit(maxInFlight int, ratePerSecond float64, now time.Time) Gate {
	was := g.Limited()
	g.MaxInFlight, g.RatePerSecond = maxInFlight, ratePerSecond
	if was && !g.Limited() {
		return g.Hold(ParkPaced, now)
	}
	return g
}

// Hold makes a closed gate busy.
func (g Gate) Hold(why ParkReason, now time.Time) Gate {
	if g.State == GateClosed || g.State == "" {
		g.State, g.Reason, g.Since = GateBusy, why, now
	}
	return g
}

// Trip opens the gate, unless it is open. One that was recovering waits longer than before. random is uniform in [0,1).
func (g Gate) Trip(fault Reason, now time.Time, random float64) Gate {
	switch g.State {
	case GateOpen:
		return g
	case GateRecovering:
		g.Pause = min(2*g.Pause, MaxProbePause)
	default:
		g.Pause = FirstProbePause
		if g.State != GateBusy {
			g.Since = now
		}
	}
	g.State, g.Reason, g.Fault = GateOpen, ParkTrouble, fault
	g.ProbeAt = probeAfter(g.Pause, now, random)
	return g
}

// ProbeFailed puts the next probe off. An attempt that was let out before the gate opened, and fails behind it, is none.
func (g Gate) ProbeFailed(fault Reason, now time.Time, random float64) Gate {
	if g.State != GateOpen || now.Before(g.ProbeAt) {
		return g
	}
	g.Pause, g.Fault = min(2*g.Pause, MaxProbePause), fault
	g.ProbeAt = probeAfter(g.Pause, now, random)
	return g
}

// Recover lets deliveries out again: a probe came through, or an operator says that the target is well.
func (g Gate) Recover() Gate {
	if g.State == GateOpen {
		g.State, g.ProbeAt = GateRecovering, time.Time{}
	}
	return g
}

// Ease makes a gate that was held for trouble, or for attempts that hang, one for a mere crowd: the target has shown that it
// copes with as much as any other, quickly.
func (g Gate) Ease() Gate {
	if g.State == GateRecovering || g.State == GateBusy && g.Reason == ParkSlow {
		g.State, g.Reason = GateBusy, ParkBusy
	}
	return g
}

// Drained closes the gate: nothing is parked any more.
func (g Gate) Drained() Gate {
	return Gate{State: GateClosed, MaxInFlight: g.MaxInFlight, RatePerSecond: g.RatePerSecond}
}

func probeAfter(pause time.Duration, now time.Time, random float64) time.Time {
	return now.Add(pause + time.Duration(random*probeJitter*float64(pause)))
}

// Health is what an attempt says of its target.
type Health uint8

const (
	HealthUnknown Health = iota // it says nothing: not sent, or interrupted
	HealthGood                  // the target answered and is not overwhelmed, though it may have refused this one
	HealthPoor                  // it answered 5xx or 429: perhaps this one only
	HealthBad                   // it did not answer
)

// Health judges the target by an attempt's verdict.
func (v Verdict) Health(status int) Health {
	switch v.Reason {
	case ReasonTimeout, ReasonDNS, ReasonConnect, ReasonTLS, ReasonReset, ReasonProtocol:
		return HealthBad
	case ReasonStatus5xx:
		return HealthPoor
	case ReasonStatus4xx:
		if status == 429 {
			return HealthPoor
		}
		return HealthGood
	case "", ReasonHandshakeRefused, ReasonStatus, ReasonRedirect, ReasonGone, ReasonAborted:
		return HealthGood
	}
	return HealthUnknown
}

// Troubles after which a breaker opens: so many attempts in a row that were bad, or that were poor, or a mixture.
const (
	TroublesToOpen = 20
	badTrouble     = 4 // five in a row
	poorTrouble    = 1 // twenty in a row: one order that a target cannot digest must not hold the others back
)

// Troubles counts trouble in a row: one more attempt, of the given health.
func Troubles(sofar int, h Health) int {
	switch h {
	case HealthGood:
		return 0
	case HealthPoor:
		return min(sofar+poorTrouble, TroublesToOpen)
	case HealthBad:
		return min(sofar+badTrouble, TroublesToOpen)
	}
	return sofar
}
