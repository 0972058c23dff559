package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

// benchCommand measures Tidings on this machine; package bench says how.
type benchCommand struct {
	Speed     benchSpeed     `cmd:"" default:"withargs" help:"Measure how quick it is, against plain Asynq and a bare loop of POSTs (the default)."`
	Growth    benchGrowth    `cmd:"" help:"Measure what costs and rates become as something grows: fan-out, sizes, backlogs, workers, Events."`
	Isolation benchIsolation `cmd:"" help:"Measure whether one bad target, or one busy merchant, slows others down."`
}

// benchOn is what all measurements have in common.
type benchOn struct {
	TCP bool `help:"Reach Redis over TCP on 127.0.0.1, as one is reached that is shared, not over a unix socket (needs Redis 7)."`
}

func (on benchOn) config(out output) (bench.Config, error) {
	binary, err := os.Executable()
	return bench.Config{Binary: binary, Progress: out.Err, TCP: on.TCP}, err
}

type benchSpeed struct {
	benchOn
	Quick   bool          `help:"At most two short rounds, within a minute."`
	JSON    bool          `help:"Print one JSON object."`
	Compare string        `help:"Tell what changed since an old report (made by --json)." type:"path" placeholder:"FILE"`
	Rounds  int           `help:"Rounds; each measures every way once." default:"3"`
	For     time.Duration `help:"How long each way is loaded as hard as it goes." default:"10s"`
	Steady  time.Duration `help:"How long latencies are measured." default:"20s"`
	Rate    int           `help:"Changes a second while latencies are measured." default:"50"`
	Idle    time.Duration `help:"How long Tidings is watched doing nothing." default:"10s"`
	Fanout  int           `help:"Notifications of each order: what one change is told to. The bars are for one." default:"1"`
	Profile string        `help:"Write a CPU profile of Tidings under load (of the last round), for go tool pprof." type:"path" placeholder:"FILE"`
	Flame   string        `help:"Draw a flame graph of such a profile (SVG)." type:"path" placeholder:"FILE"`
}

// Run measures and prints; bars that were missed are told, and are no error.
func (c benchSpeed) Run(ctx context.Context, out output) error {
	if c.Rounds < 1 || c.Rate < 1 || c.Rate > 100_000 || c.For < time.Second || c.Steady < 0 || c.Idle < 0 || c.Fanout < 1 || c.Fanout > 20 {
		return usageError{errors.New("bench: --rounds and --rate must be at least 1 (a rate at most 100000), --for at least 1s, --steady and --idle at least 0s, --fanout 1 to 20")}
	}
	var old bench.SpeedReport
	if c.Compare != "" {
		var err error
		if old, err = bench.ReadSpeed(c.Compare); err != nil { // before minutes of measuring
			return usageError{err}
		}
	}
	plan := bench.SpeedPlan{Rounds: c.Rounds, For: c.For, Steady: c.Steady, Rate: c.Rate, Idle: c.Idle, Fanout: c.Fanout}
	if c.Quick {
		plan.Rounds, plan.For, plan.Steady, plan.Idle = min(c.Rounds, 2), min(c.For, 1500*time.Millisecond), min(c.Steady, 2*time.Second), min(c.Idle, 3*time.Second)
	}
	cfg, err := c.config(out)
	if err != nil {
		return err
	}
	if cfg.Profile = c.Profile; c.Flame != "" && c.Profile == "" {
		dir, err := os.MkdirTemp("", "tdprofile")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		cfg.Profile = filepath.Join(dir, "cpu.pprof")
	}
	report, err := bench.Speed(ctx, cfg, plan)
	if err != nil {
		return err
	}
	if c.Flame != "" {
		if err := bench.Flame(cfg.Profile, c.Flame, "Tidings under load"); err != nil {
			return err
		}
	}
	if err := printReport(out, c.JSON, report); err != nil || c.Compare == "" {
		return err
	}
	to := out.Out
	if c.JSON { // one object only on the standard output
		to = out.Err
	}
	report.PrintAgainst(old, to)
	return nil
}

var errBenchSmall = errors.New("bench: --rounds and --rate must be at least 1 (a rate at most 100000), --window and --timeout at least 1s, --burst at least 0")

type benchIsolation struct {
	benchOn
	Quick   bool          `help:"One short round (about six minutes)."`
	JSON    bool          `help:"Print one JSON object."`
	Only    string        `help:"Only some scenes: ten, thousand, plain or burst; hang is the shortest." enum:"all,hang,ten,thousand,plain,burst" default:"all"`
	Rounds  int           `help:"Rounds; every run is made once in each." default:"3"`
	Rate    int           `help:"Changes a second, over all targets." default:"200"`
	Window  time.Duration `help:"How long a target is bad; above the timeout, so that the time before its breaker opens is measured too." default:"25s"`
	Timeout time.Duration `help:"Deadline of an attempt." default:"10s"`
	Burst   int           `help:"Changes of the merchant that bursts." default:"100000"`
	Beside  bool          `help:"Make each run and the run without its fault at the same time: for a machine that is busy otherwise."`
}

// Run measures and prints; bars that were missed are told, and are no error.
func (c benchIsolation) Run(ctx context.Context, out output) error {
	if c.Rounds < 1 || c.Rate < 1 || c.Rate > 100_000 || c.Window < time.Second || c.Timeout < time.Second || c.Burst < 0 {
		return usageError{errBenchSmall}
	}
	every := c.Only == "all"
	plan := bench.IsolationPlan{Rounds: c.Rounds, Rate: c.Rate, Warm: 3 * time.Second, Window: c.Window, Timeout: c.Timeout,
		Ten: every || c.Only == "ten" || c.Only == "hang", Thousand: every || c.Only == "thousand", Plain: every || c.Only == "plain",
		FewerFaults: c.Only == "hang", SideBySide: c.Beside}
	if every || c.Only == "burst" {
		plan.Burst = c.Burst
	}
	if c.Quick {
		plan.Rounds, plan.Warm, plan.Window, plan.Burst = 1, 2*time.Second, c.Timeout+2*time.Second, min(plan.Burst, 10_000)
	}
	cfg, err := c.config(out)
	if err != nil {
		return err
	}
	report, err := bench.Isolation(ctx, cfg, plan)
	if err != nil {
		return err
	}
	return printReport(out, c.JSON, report)
}

// printed is a report of the bench.
type printed interface{ Print(to io.Writer) }

func printReport(out output, asJSON bool, report printed) error {
	if asJSON {
		return json.NewEncoder(out.Out).Encode(report)
	}
	report.Print(out.Out)
	return nil
}

// benchProcess is what the bench runs in processes of their own. They end when their standard input does: with the bench.
type benchProcess struct {
	Receive benchReceive `cmd:"" help:"Play targets."`
	Serve   benchServe   `cmd:"" help:"Run Tidings."`
}

type benchReceive struct {
	Targets int `help:"How many."`
}

// Run plays targets.
func (c benchReceive) Run(ctx context.Context, out output) error {
	return bench.Receive(untilInputEnds(ctx), c.Targets, out.Out)
}

type benchServe struct {
	serveCommand
	Profile string `help:"File for a CPU profile, from one SIGUSR1 to the next." type:"path"`
}

// Run serves.
func (c benchServe) Run(ctx context.Context, cli *commands, out output) error {
	if c.Profile != "" {
		bench.ProfileOnSignal(c.Profile, out.Err)
	}
	return c.serveCommand.Run(untilInputEnds(ctx), cli, out)
}

func untilInputEnds(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}
