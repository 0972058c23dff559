package bench

import (
	"context"
	"fmt"
	"time"
)

// Scene is one run of the isolation bench: a steady load over many targets, some of which go bad when the window begins.
type Scene struct {
	Name           string
	Targets        int
	Bad            int           // how many go bad: the first ones
	As             Behaviour     // how
	SharedMerchant bool          // all orders belong to one merchant, instead of one for each target
	Orders         int           // a multiple of Targets
	Rate           int           // changes a second, over all targets
	Warm, Window   time.Duration // before, and while it is measured
	Timeout        time.Duration // of an attempt
	Plain          bool          // a plain Asynq handler instead of Tidings
}

// Run is what a scene came to, for the targets that stayed well.
type Run struct {
	Scene      string         `json:"scene"`
	PerSecond  float64        `json:"deliveredPerSecond"` // arrived within the window
	Latency    Latency        `json:"latency"`            // from when the PUT was due to arrival; what never arrived counts as long as we waited
	Second     float64        `json:"medianSecondP99Ms"`  // p99 of each second by itself, and of those the median: what else ran on the machine for a moment is not in it
	Missing    int            `json:"missing"`            // never arrived, though we waited
	Duplicates int            `json:"duplicates"`
	Commands   float64        `json:"redisCommandsPerDelivery"` // of all targets: owed in the window
	Parked     map[string]int `json:"parked,omitempty"`         // by why
	Attempts   map[string]int `json:"attempts,omitempty"`       // by reason; delivered is ""
	InFlight   []int          `json:"inFlight,omitempty"`       // attempts in flight in Tidings, at each second of the window: of the pool of 256
	BadSeen    int            `json:"requestsAtBadTargets"`
	PutP99     float64        `json:"putP99Ms"`
	LoaderLag  float64        `json:"loaderLagP99Ms"`
	PutFailed  int            `json:"putsFailed"`
}

// stragglers is how long we wait after the window for what is owed to targets that are well.
const stragglers = 5 * time.Second

// run makes one run on a fresh stand. It calls begin when all is ready for the load.
func (sc Scene) run(ctx context.Context, cfg Config, begin func()) (Run, error) {
	p := parts{targets: sc.Targets, redis: true, role: roleAll}
	if sc.Plain {
		p.role = ""
	}
	s, err := newStand(ctx, cfg, p)
	if err != nil {
		return Run{}, err
	}
	defer s.close()
	send, closer, err := sc.sender(ctx, s)
	if err != nil {
		return Run{}, err
	}
	defer closer()
	begin()
	every := time.Second / time.Duration(sc.Rate)
	n := int((sc.Warm + sc.Window) / every)
	began := time.Now().Add(100 * time.Millisecond)
	done := make(chan loaded, 1)
	loading, stop := context.WithCancel(ctx)
	defer stop()
	go func() { done <- openLoop(loading, began, n, every, send) }()

	from, to := began.Add(sc.Warm), began.Add(sc.Warm+sc.Window)
	if err := wait(ctx, time.Until(from)); err != nil {
		return Run{}, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return Run{}, err
	}
	if err := s.receivers.behave(ctx, sc.As, upTo(sc.Bad)); err != nil {
		return Run{}, err
	}
	inFlight, err := s.watch(ctx, to)
	if err != nil {
		return Run{}, err
	}
	after, err := s.usage(ctx)
	if err != nil {
		return Run{}, err
	}
	load := <-done
	if load.First != nil {
		fmt.Fprintf(cfg.Progress, "  %d PUTs failed, the first: %v\n", load.Failed, load.First)
	}
	seen, err := sc.settle(ctx, s, n)
	if err != nil {
		return Run{}, err
	}
	r := sc.judge(seen, began, every, n, time.Now())
	used := after.since(before)
	r.Commands = ratio(used.Commands, float64(int(sc.Window/every)))
	r.Parked, r.Attempts = used.labelled("tidings_parked_total", "because"), used.labelled("tidings_attempts_total", "reason")
	r.InFlight = inFlight
	r.PutP99, r.LoaderLag, r.PutFailed = load.Answer.P99, load.Lag.P99, load.Failed
	return r, nil
}

// sender of the scene's load, and what ends it.
func (sc Scene) sender(ctx context.Context, s *stand) (sender, func(), error) {
	url := func(order int) string { return s.receivers.url(order % sc.Targets) }
	if sc.Plain {
		return plainAsynq(s, plainConfig{Servers: 2, Concurrency: tidingsConcurrency, Timeout: sc.Timeout}, url)
	}
	merchant := func(order int) string { return fmt.Sprintf("m%d", order%sc.Targets) }
	if sc.SharedMerchant {
		merchant = func(int) string { return "m" }
	}
	a := s.adapter("o", sc.Orders, url, merchant)
	return a.change, func() {}, a.register(ctx, sc.Timeout)
}

// watch waits, and looks every second at how many attempts are in flight.
func (s *stand) watch(ctx context.Context, until time.Time) (inFlight []int, err error) {
	for {
		if err := wait(ctx, min(time.Second, time.Until(until))); err != nil {
			return nil, err
		}
		if !time.Now().Before(until) || len(s.tidings) == 0 {
			return inFlight, wait(ctx, time.Until(until))
		}
		m, err := s.metrics(ctx)
		if err != nil {
			return nil, err
		}
		inFlight = append(inFlight, int(m["tidings_attempts_in_flight"]))
	}
}

// settle waits until what is owed to the good targets has arrived, and returns all arrivals.
func (sc Scene) settle(ctx context.Context, s *stand, n int) (seen [][]Arrival, err error) {
	owed := 0
	for seq := range n {
		if seq%sc.Targets >= sc.Bad {
			owed++
		}
	}
	for deadline := time.Now().Add(stragglers); ; {
		if seen, err = s.receivers.arrivals(ctx); err != nil {
			return nil, err
		}
		good := 0
		for _, arrivals := range seen[sc.Bad:] {
			good += len(arrivals)
		}
		if good >= owed || time.Now().After(deadline) {
			return seen, nil
		}
		if err := wait(ctx, 250*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
