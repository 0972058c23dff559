package queue

import (
	"container/list"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Gate decides, before anything is sent, whether an attempt may go to its target now. It counts the attempts in flight
// in this process and knows the gates of all targets as the keeper last read them; it asks nobody, so it costs a
// delivery no round trip. What may not pass is parked.
type Gate struct {
	mu      sync.Mutex
	now     func() time.Time
	pool    int                        // attempts that this process makes at once
	share   int                        // of one target, in this process
	targets map[string]*traffic        // with attempts in flight, in trouble, or not yet reported
	young   list.List                  // *Passage in flight for less than slowAfter, oldest first
	slow    int                        // in flight for longer
	retries int                        // in flight
	gates   map[string]dispatcher.Gate // that are not just closed
	rings   map[string]bool            // targets that the keeper is to look at
}

const (
	// slowAfter is how long an attempt may take before it counts as one that hangs.
	slowAfter = time.Second
	// targetShare is the part of the pool that one target may take: 1/4; while its attempts hang: 1/16.
	targetShare = 4
	slowShare   = 16
	// minShare is what a target may always have in flight.
	minShare = 2
	// forgetTraffic is how long the trouble of a target is remembered to which nothing is sent.
	forgetTraffic = 10 * time.Minute
)

// TargetShare is how many attempts of a pool go to one target at the same time at most.
func TargetShare(pool int) int { return max(pool/targetShare, minShare) }

// traffic is what this process knows of one target.
type traffic struct {
	inFlight, slow, retries int
	passes                  int // of those in flight, let out by the keeper
	troubles                int
	wellAt                  time.Time // when it answered last
	stats                   store.TargetStats
	touched                 time.Time
}

// Passage is one attempt that may go out.
type Passage struct {
	target  string
	retry   bool
	pass    bool // let out by the keeper
	probe   bool // may tell that an open gate's target is well
	slow    bool
	left    bool
	began   time.Time
	element *list.Element // in young
}

func newGate(pool int, now func() time.Time) *Gate {
	return &Gate{now: now, pool: pool, share: TargetShare(pool), targets: map[string]*traffic{}, gates: map[string]dispatcher.Gate{}, rings: map[string]bool{}}
}

// enter counts the attempt in, or says why the delivery must be parked.
func (g *Gate) enter(target string, d dispatcher.Delivery) (*Passage, dispatcher.ParkReason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.age(now)
	t := g.targets[target]
	if t == nil {
		t = &traffic{}
		g.targets[target] = t
	}
	p := &Passage{target: target, retry: d.Attempts > 0 && d.NextTrigger == dispatcher.TriggerAutomatic, pass: d.Pass && d.Target == target, began: now}
	asked := d.NextTrigger != dispatcher.TriggerAutomatic // somebody waits for this attempt: an open gate lets it try
	p.probe = p.pass || asked
	if why := g.refusal(target, t, p, asked); why != "" {
		return nil, why
	}
	t.inFlight++
	if p.pass {
		t.passes++
	}
	t.touched = now
	if p.retry {
		t.retries++
		g.retries++
	}
	p.element = g.young.PushBack(p)
	return p, ""
}

// refusal says why an attempt may not go out. A target's share keeps it from taking the pool; targets whose attempts hang
// get much less, and the more of the pool hangs, the less: with an eighth of it gone, a target that has one attempt
// hanging gets no other; with three quarters gone, only those get any that have answered lately. A busy gate lets pass
// while half of the target's share is free, so that a crowd that is over is forgotten.
func (g *Gate) refusal(target string, t *traffic, p *Passage, asked bool) dispatcher.ParkReason {
	gate, held := g.gates[target]
	switch {
	case p.pass: // the keeper has counted it
		return ""
	case held && !asked && gate.Limited():
		return dispatcher.ParkPaced
	case held && !asked && (gate.Reason != dispatcher.ParkBusy || t.inFlight >= g.share/2):
		return gate.Reason
	case t.inFlight >= g.share:
		return dispatcher.ParkBusy
	case t.slow >= max(g.pool/slowShare, minShare), t.slow > 0 && g.slow >= g.pool/8, g.slow >= g.pool*3/4 && g.now().Sub(t.wellAt) > forgetTraffic:
		return dispatcher.ParkSlow
	case p.retry && (t.retries >= max(g.share*3/4, 1) || g.retries >= g.pool*3/4):
		return dispatcher.ParkRetries
	}
	return ""
}

// roomy reports whether nobody has to wait for the target: its gate is closed, and a quarter of its share is free.
func (g *Gate) roomy(target string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, held := g.gates[target]; held {
		return false
	}
	t := g.targets[target]
	return t == nil || t.inFlight < g.share*3/4
}

// age moves attempts that have become slow out of young. Attempts begin in the order of the list, so that each is
// looked at once.
func (g *Gate) age(now time.Time) {
	for e := g.young.Front(); e != nil; e = g.young.Front() {
		p := e.Value.(*Passage)
		if now.Sub(p.began) < slowAfter {
			return
		}
		g.young.Remove(e)
		p.element, p.slow = nil, true
		g.slow++
		g.targets[p.target].slow++
	}
}

// leave counts the attempt out, once, and reports whether the target's breaker is to open.
func (g *Gate) leave(p *Passage, v dispatcher.Verdict, a dispatcher.Attempt) (trip bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.left {
		return false
	}
	p.left = true
	t := g.targets[p.target]
	t.inFlight--
	if p.pass {
		t.passes--
	}
	if p.retry {
		t.retries--
		g.retries--
	}
	if p.slow {
		t.slow--
		g.slow--
	} else {
		g.young.Remove(p.element)
	}
	health := v.Health(a.StatusCode)
	switch t.troubles = dispatcher.Troubles(t.troubles, health); {
	case health == dispatcher.HealthGood:
		t.wellAt = g.now()
	case health == dispatcher.HealthBad && p.slow && g.slow >= g.pool/8:
		t.troubles = dispatcher.TroublesToOpen // many hang: nobody gets five tries to show that he does
	}
	if health != dispatcher.HealthUnknown {
		t.stats.Add(a)
	}
	return health != dispatcher.HealthUnknown && t.troubles >= dispatcher.TroublesToOpen && g.gates[p.target].State != dispatcher.GateOpen
}
