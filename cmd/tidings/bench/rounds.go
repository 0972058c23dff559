package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// rounds collects the runs of every scene, and for each the run of its baseline that it is compared with.
type rounds struct {
	cfg       Config
	families  []family
	runs      map[string][]Run
	baselines map[string][]Run
}

func newRounds(cfg Config, families []family) *rounds {
	return &rounds{cfg: cfg, families: families, runs: map[string][]Run{}, baselines: map[string][]Run{}}
}

func (rs *rounds) add(run, baseline Run) {
	rs.tell(run)
	rs.runs[run.Scene] = append(rs.runs[run.Scene], run)
	rs.baselines[run.Scene] = append(rs.baselines[run.Scene], baseline)
}

func (rs *rounds) tell(r Run) {
	fmt.Fprintf(rs.cfg.Progress, "  %s: %.1f/s, p50 %.1f ms, p99 %.1f ms, %.1f commands\n", r.Scene, r.PerSecond, r.Latency.P50, r.Latency.P99, r.Commands)
}

// inTurn makes one run after another: each has the machine for itself.
func (rs *rounds) inTurn(ctx context.Context) error {
	for _, f := range rs.families {
		baseline, err := rs.one(ctx, f.baseline, func() {})
		if err != nil {
			return err
		}
		rs.add(baseline, baseline)
		for _, scene := range f.scenes {
			run, err := rs.one(ctx, scene, func() {})
			if err != nil {
				return err
			}
			rs.add(run, baseline)
		}
	}
	return nil
}

// sideBySide makes each run and one of its baseline at the same time, on stands of their own. Whatever else happens on
// the machine meets both alike; what a bad target would cost in CPU meets both as well, and shows in the commands.
func (rs *rounds) sideBySide(ctx context.Context) error {
	for _, f := range rs.families {
		for _, scene := range f.scenes {
			run, baseline, err := rs.both(ctx, scene, f.baseline)
			if err != nil {
				return err
			}
			rs.add(run, baseline)
			rs.tell(baseline)
			rs.runs[f.baseline.Name] = append(rs.runs[f.baseline.Name], baseline)
		}
		rs.baselines[f.baseline.Name] = rs.runs[f.baseline.Name]
	}
	return nil
}

func (rs *rounds) both(ctx context.Context, scene, baseline Scene) (run, base Run, err error) {
	var ready, done sync.WaitGroup
	ready.Add(2)
	var err1, err2 error
	with := func(sc Scene, run *Run, err *error) {
		here := sync.OnceFunc(ready.Done)
		defer here() // the other does not wait for one that could not begin
		*run, *err = rs.one(ctx, sc, func() { here(); ready.Wait() })
	}
	done.Go(func() { with(scene, &run, &err1) })
	done.Go(func() { with(baseline, &base, &err2) })
	done.Wait()
	return run, base, errors.Join(err1, err2)
}

func (rs *rounds) one(ctx context.Context, scene Scene, begin func()) (Run, error) {
	run, err := scene.run(ctx, rs.cfg, begin)
	if err != nil {
		return run, fmt.Errorf("%s: %w", scene.Name, err)
	}
	return run, nil
}

func (rs *rounds) compare() (all []Compared) {
	for _, f := range rs.families {
		for _, scene := range append([]Scene{f.baseline}, f.scenes...) {
			all = append(all, Compare(rs.runs[scene.Name], rs.baselines[scene.Name]))
		}
	}
	return all
}

// Compare puts the runs of a scene against those of its baseline, round by round.
func Compare(runs, baseline []Run) Compared {
	c := Compared{Scene: runs[0].Scene, Baseline: baseline[0].Scene, Runs: runs}
	// A bad target's share of the load is owed, and not counted here: ratios are of what the good targets were owed.
	throughput := make([]float64, len(runs))
	p99, second, commands := make([]float64, len(runs)), make([]float64, len(runs)), make([]float64, len(runs))
	for i, r := range runs {
		b := baseline[i]
		share := ratio(float64(r.Latency.Count), float64(b.Latency.Count))
		throughput[i] = ratio(r.PerSecond, b.PerSecond*share)
		p99[i], commands[i] = ratio(r.Latency.P99, b.Latency.P99), ratio(r.Commands, b.Commands)
		second[i] = ratio(r.Second, b.Second)
	}
	c.Throughput, c.P99, c.Commands = SpreadOf(throughput).Median, SpreadOf(p99).Median, SpreadOf(commands).Median
	c.Second = SpreadOf(second).Median
	c.Met = c.Throughput >= BarThroughput && c.P99 <= BarP99 && c.Commands <= BarCommands
	return c
}
