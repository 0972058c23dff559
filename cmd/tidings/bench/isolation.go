package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings/tidings/store/embedded"
)

// IsolationPlan says how much is measured.
type IsolationPlan struct {
	Rounds      int           // each makes every run once; figures are medians over rounds
	Rate        int           // changes a second, over all targets
	Warm        time.Duration // before the target goes bad
	Window      time.Duration // while it is bad: above Timeout, so that the time before the breaker opens is in it
	Timeout     time.Duration // of an attempt
	Burst       int           // changes of the merchant that bursts; 0: none
	Ten         bool          // the runs with 10 targets
	Thousand    bool          // the runs with 1000 targets
	Plain       bool          // the runs with plain Asynq
	FewerFaults bool          // only a target that hangs
	SideBySide  bool          // each run with its baseline at the same time, instead of after it
}

// Bars of isolation: what one bad target of ten may do to the other nine.
const (
	BarThroughput = 0.95 // at least this part of the run without it
	BarP99        = 1.2  // at most this many times the p99 of the run without it
	BarCommands   = 1.3  // at most this many times its Redis commands per delivery
)

// Compared is a scene against the run without a bad target.
type Compared struct {
	Scene      string  `json:"scene"`
	Baseline   string  `json:"baseline"`
	Throughput float64 `json:"throughputRatio"` // medians of the ratios within each round
	P99        float64 `json:"p99Ratio"`
	Second     float64 `json:"medianSecondP99Ratio"`
	Commands   float64 `json:"commandsRatio"`
	Met        bool    `json:"met"`
	Runs       []Run   `json:"runs"`
}

// IsolationReport is what `tidings bench isolation` prints.
type IsolationReport struct {
	Kind       string     `json:"kind"`
	Conditions Conditions `json:"conditions"`
	Scenes     []Compared `json:"scenes"`
	Fairness   []Fairness `json:"fairness,omitempty"`
}

// family is a baseline and the scenes that are compared with it.
type family struct {
	baseline Scene
	scenes   []Scene
}

func (p IsolationPlan) families() (all []family) {
	base := Scene{Name: "all well", Targets: 10, Orders: 2000, Rate: p.Rate, Warm: p.Warm, Window: p.Window, Timeout: p.Timeout}
	if p.Ten {
		all = append(all, family{base, p.faults(base, 1)})
	}
	if p.Ten && !p.FewerFaults {
		shared := base
		shared.Name, shared.SharedMerchant = "all well, one merchant", true
		all = append(all, family{shared, []Scene{shared.with("hangs, one merchant", Hang, 1)}})
	}
	if p.Thousand {
		many := base
		// Each target sees a change every few seconds only: the warm-up must reach all of them once.
		many.Name, many.Targets, many.Warm = "1000 well", 1000, max(p.Warm, 6*time.Second)
		many.Window = max(p.Window, p.Timeout+20*time.Second)
		all = append(all, family{many, []Scene{many.with("100 of 1000 hang", Hang, 100), many.with("100 of 1000 refuse", Refuse, 100)}})
	}
	if p.Plain {
		plain := base
		plain.Name, plain.Plain = "plain Asynq, all well", true
		all = append(all, family{plain, []Scene{plain.with("plain Asynq, one hangs", Hang, 1)}})
	}
	return all
}

func (p IsolationPlan) faults(base Scene, bad int) []Scene {
	hangs := base.with("one hangs", Hang, bad)
	if p.FewerFaults {
		return []Scene{hangs}
	}
	return []Scene{hangs, base.with("one refuses", Refuse, bad), base.with("one answers 500", Errs, bad), base.with("one drips", Drip, bad)}
}

func (sc Scene) with(name string, as Behaviour, bad int) Scene {
	sc.Name, sc.As, sc.Bad = name, as, bad
	return sc
}

// Isolation makes all runs, round after round, so that what else happens on the machine meets all of them alike.
func Isolation(ctx context.Context, cfg Config, p IsolationPlan) (IsolationReport, error) {
	if _, found := embedded.Find(); !found {
		return IsolationReport{}, ErrNoRedis
	}
	report := IsolationReport{Kind: "isolation"}
	var err error
	if report.Conditions, err = conditions(ctx, cfg); err != nil {
		return report, err
	}
	report.Conditions.Rounds, report.Conditions.Rate, report.Conditions.Seconds = p.Rounds, p.Rate, p.Window.Seconds()
	report.Conditions.Beside = p.SideBySide
	all := newRounds(cfg, p.families())
	for round := range p.Rounds {
		fmt.Fprintf(cfg.Progress, "round %d of %d\n", round+1, p.Rounds)
		next := all.inTurn
		if p.SideBySide {
			next = all.sideBySide
		}
		if err := next(ctx); err != nil {
			return report, err
		}
	}
	report.Scenes = all.compare()
	if p.Burst > 0 {
		for _, same := range []bool{false, true} {
			fmt.Fprintf(cfg.Progress, "one merchant makes %d changes at once\n", p.Burst)
			f, err := fairness(ctx, cfg, p.Burst, same)
			if err != nil {
				return report, err
			}
			report.Fairness = append(report.Fairness, f)
		}
	}
	return report, nil
}
