package dispatcher_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestGateMovesAsDrawn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	due := now.Add(time.Minute)
	trip := func(g dispatcher.Gate) dispatcher.Gate { return g.Trip(dispatcher.ReasonTimeout, now, 0) }
	hold := func(g dispatcher.Gate) dispatcher.Gate { return g.Hold(dispatcher.ParkBusy, now) }
	probeFailed := func(g dispatcher.Gate) dispatcher.Gate { return g.ProbeFailed(dispatcher.ReasonConnect, due, 0) }
	early := func(g dispatcher.Gate) dispatcher.Gate { return g.ProbeFailed(dispatcher.ReasonConnect, now, 0) }
	closed := dispatcher.Gate{State: dispatcher.GateClosed}
	open := trip(closed)
	recovering := open.Recover()
	for _, row := range []struct {
		why   string
		from  dispatcher.Gate
		step  func(dispatcher.Gate) dispatcher.Gate
		state dispatcher.GateState
		pause time.Duration
	}{
		{"no gate is a closed one", dispatcher.Gate{}, hold, dispatcher.GateBusy, 0},
		{"more than may be in flight", closed, hold, dispatcher.GateBusy, 0},
		{"trouble", closed, trip, dispatcher.GateOpen, time.Second},
		{"trouble behind a crowd", hold(closed), trip, dispatcher.GateOpen, time.Second},
		{"open already: attempts that were in flight do not put the probe off", open, trip, dispatcher.GateOpen, time.Second},
		{"who comes to an open gate does not close it half", open, hold, dispatcher.GateOpen, time.Second},
		{"what was let out before the gate opened fails behind it: no probe", open, early, dispatcher.GateOpen, time.Second},
		{"a probe that fails", open, probeFailed, dispatcher.GateOpen, 2 * time.Second},
		{"a probe that comes through", open, dispatcher.Gate.Recover, dispatcher.GateRecovering, time.Second},
		{"trouble again: the pause goes on growing", recovering, trip, dispatcher.GateOpen, 2 * time.Second},
		{"a late probe's failure changes nothing", recovering, probeFailed, dispatcher.GateRecovering, time.Second},
		{"nothing to recover from", hold(closed), dispatcher.Gate.Recover, dispatcher.GateBusy, 0},
		{"it copes with a full share: a mere crowd", recovering, dispatcher.Gate.Ease, dispatcher.GateBusy, time.Second},
		{"no crowd", open, dispatcher.Gate.Ease, dispatcher.GateOpen, time.Second},
		{"the line is empty", recovering, dispatcher.Gate.Drained, dispatcher.GateClosed, 0},
	} {
		got := row.step(row.from)
		if got.State != row.state || got.Pause != row.pause {
			t.Errorf("%s: %s with a pause of %s, want %s, %s", row.why, got.State, got.Pause, row.state, row.pause)
		}
		if (got.State == dispatcher.GateOpen) == got.ProbeAt.IsZero() {
			t.Errorf("%s: %s with a probe at %s", row.why, got.State, got.ProbeAt)
		}
	}
	for range 20 {
		due = due.Add(time.Hour)
		open = probeFailed(open)
	}
	if open.Pause != dispatcher.MaxProbePause {
		t.Errorf("after many probes the pause is %s", open.Pause)
	}
}

func TestLimitsOutliveTroubleAndLetOutWhenTheyGo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := dispatcher.Gate{State: dispatcher.GateClosed}.Limit(2, 0.5, now)
	if !g.Limited() || g.Passes() || g.State != dispatcher.GateClosed {
		t.Errorf("limited: %+v", g)
	}
	if g = g.Trip(dispatcher.ReasonDNS, now, 0).Recover().Drained(); g.MaxInFlight != 2 || g.RatePerSecond != 0.5 {
		t.Errorf("after trouble: %+v", g)
	}
	if g = g.Limit(0, 0, now); g.State != dispatcher.GateBusy || g.Passes() {
		t.Errorf("what was parked for a limit would be forgotten: %+v", g)
	}
	if g = g.Drained(); !g.Forgettable() {
		t.Errorf("%+v is still to be kept", g)
	}
}

func TestBreakerOpensOnTroubleInARow(t *testing.T) {
	t.Parallel()
	const good, poor, bad, unknown = dispatcher.HealthGood, dispatcher.HealthPoor, dispatcher.HealthBad, dispatcher.HealthUnknown
	repeat := func(h dispatcher.Health, n int) (all []dispatcher.Health) {
		for range n {
			all = append(all, h)
		}
		return all
	}
	for _, row := range []struct {
		why  string
		row  []dispatcher.Health
		open bool
	}{
		{"four timeouts", repeat(bad, 4), false},
		{"five timeouts", repeat(bad, 5), true},
		{"nineteen answers 5xx: one order that the target cannot digest, retried", repeat(poor, 19), false},
		{"twenty answers 5xx", repeat(poor, 20), true},
		{"an answer in between begins anew", append(append(repeat(bad, 4), good), repeat(bad, 4)...), false},
		{"what says nothing neither adds nor heals", append(append(repeat(bad, 4), unknown), bad), true},
		{"a mixture", append(repeat(poor, 12), bad, bad), true},
	} {
		n := 0
		for _, h := range row.row {
			n = dispatcher.Troubles(n, h)
		}
		if open := n >= dispatcher.TroublesToOpen; open != row.open {
			t.Errorf("%s: opens %v", row.why, open)
		}
	}
}

func TestHealthOfEveryReason(t *testing.T) {
	t.Parallel()
	want := map[dispatcher.Reason]dispatcher.Health{
		dispatcher.ReasonTimeout: dispatcher.HealthBad, dispatcher.ReasonDNS: dispatcher.HealthBad, dispatcher.ReasonConnect: dispatcher.HealthBad,
		dispatcher.ReasonTLS: dispatcher.HealthBad, dispatcher.ReasonReset: dispatcher.HealthBad, dispatcher.ReasonProtocol: dispatcher.HealthBad,
		dispatcher.ReasonStatus5xx: dispatcher.HealthPoor, dispatcher.ReasonHandshakeRefused: dispatcher.HealthGood,
		dispatcher.ReasonStatus4xx: dispatcher.HealthGood, dispatcher.ReasonStatus: dispatcher.HealthGood,
		dispatcher.ReasonRedirect: dispatcher.HealthGood, dispatcher.ReasonGone: dispatcher.HealthGood, dispatcher.ReasonAborted: dispatcher.HealthGood,
	}
	for _, reason := range append([]dispatcher.Reason{""}, dispatcher.Reasons...) {
		expected, known := want[reason]
		if reason == "" {
			expected, known = dispatcher.HealthGood, true
		}
		if !known {
			expected = dispatcher.HealthUnknown // nothing was sent
		}
		if got := (dispatcher.Verdict{Reason: reason}).Health(0); got != expected {
			t.Errorf("%q: %d, want %d", reason, got, expected)
		}
	}
	if got := (dispatcher.Verdict{Reason: dispatcher.ReasonStatus4xx}).Health(429); got != dispatcher.HealthPoor {
		t.Errorf("429: %d", got)
	}
}

func TestTargetOfAURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ url, want, why string }{
		{"https://ERP.example.com/a?token=x", "https://erp.example.com:443", "case and path do not matter"},
		{"https://erp.example.com:443/", "https://erp.example.com:443", "the scheme's own port"},
		{"https://erp.example.com.:8443/", "https://erp.example.com:8443", "a trailing dot is the same host"},
		{"http://erp.example.com", "http://erp.example.com:80", "another scheme is another target"},
		{"https://[::ffff:1.2.3.4]:0443/x", "https://1.2.3.4:443", "one address, one port"},
		{"https://[2A00:1450::1]/x", "https://[2a00:1450::1]:443", "IPv6"},
		{"ftp://x/", "", "no port is known for it"},
		{"https:///x", "", "no host"},
		{"://", "", "no URL"},
	} {
		if got, err := dispatcher.TargetOf(row.url); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s (%s): %q, %v", row.url, row.why, got, err)
		}
	}
	for _, bad := range []string{"https://a.example.com/path", "https://u:p@a.example.com", "https://a.example.com?x", "a.example.com", "https://a.example.com#f", ""} {
		if got, err := dispatcher.ParseTarget(bad); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}
