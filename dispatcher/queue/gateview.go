package queue

import (
	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// learn takes the gates as they were read.
func (g *Gate) learn(gates map[string]dispatcher.Gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replace(gates)
}

// replace takes other gates. A target whose gate is no longer open begins with some trouble on its account: what comes
// through a recovering gate may fail twice, not five times.
func (g *Gate) replace(gates map[string]dispatcher.Gate) {
	for target, was := range g.gates {
		if t := g.targets[target]; t != nil && was.State == dispatcher.GateOpen && gates[target].State != dispatcher.GateOpen {
			t.troubles = dispatcher.TroublesToOpen / 2
		}
	}
	g.gates = gates
}

// divide shares what one target may have in flight between all workers.
func (g *Gate) divide(workers int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.share = max(g.pool/targetShare/max(workers, 1), minShare)
}

// set changes one gate ahead of the next reading.
func (g *Gate) set(target string, gate dispatcher.Gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gates := make(map[string]dispatcher.Gate, len(g.gates)+1)
	for name, other := range g.gates {
		gates[name] = other
	}
	delete(gates, target)
	if !gate.Forgettable() {
		gates[target] = gate
	}
	g.replace(gates)
}

// ring asks the keeper to look at a target: something was parked for it, or an attempt that was let out has ended.
func (g *Gate) ring(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rings[target] = true
}

// rung takes the targets that rang.
func (g *Gate) rung() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	rung := g.rings
	g.rings = map[string]bool{}
	return rung
}

// slowOf is how many attempts to the target hang in this process.
func (g *Gate) slowOf(target string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.age(g.now())
	if t := g.targets[target]; t != nil {
		return t.slow
	}
	return 0
}

// of returns the gate of one target.
func (g *Gate) of(target string) dispatcher.Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if gate, known := g.gates[target]; known {
		return gate
	}
	return dispatcher.Gate{State: dispatcher.GateClosed}
}

// without returns how many attempts are in flight in this process that the keeper has not let out.
func (g *Gate) without(target string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.targets[target]
	if t == nil {
		return 0
	}
	return t.inFlight - t.passes
}

// mayBeOpen also holds for a gate of which this process has not read yet.
func (g *Gate) mayBeOpen(target string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate, known := g.gates[target]
	return !known || gate.State == dispatcher.GateOpen
}

// all returns the gates as they were last read; they are replaced, never changed.
func (g *Gate) all() map[string]dispatcher.Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.gates
}

// report takes what was counted since the last report, and forgets targets of which there is nothing to know.
func (g *Gate) report() (counted map[string]store.TargetStats, inFlight map[string]int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	counted, inFlight = map[string]store.TargetStats{}, map[string]int{}
	for name, t := range g.targets {
		if t.stats.Attempts() > 0 {
			counted[name] = t.stats
			t.stats = store.TargetStats{}
		}
		if t.inFlight > 0 {
			inFlight[name] = t.inFlight
		} else if t.troubles == 0 && t.wellAt.IsZero() || g.now().Sub(t.touched) > forgetTraffic {
			delete(g.targets, name)
		}
	}
	return counted, inFlight
}
