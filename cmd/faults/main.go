// Command faults is the fault suite of Tidings. It runs a real redis-server with an append-only file, several Tidings
// processes, receivers that record everything and writers of changes; kills, cuts, flushes and spoils at random
// instants; waits for quiet; and judges what became of every promise:
//
//	go run ./cmd/faults --for 5m
//
// It ends with 0 only when nothing was lost, no lane was out of order, no delivery is orphaned, every duplicate is
// explained by a fault, every request that a receiver saw has its Event, and the gates before the targets kept what they
// promise: nothing is forgotten while parked, no attempt is burnt, no limit is exceeded. The seed that it prints repeats the faults
// (not the scheduling of the machine). Everything happens on 127.0.0.1 and in a temporary directory, and ends by itself.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Plan of a run.
type Plan struct {
	For     time.Duration `help:"How long faults are made." default:"1m"`
	Quiet   time.Duration `help:"How long the system may take afterwards to come to rest." default:"2m"`
	Seed    uint64        `help:"Seed of the faults; 0 takes a random one."`
	APIs    int           `name:"apis" help:"API processes." default:"2"`
	Workers int           `help:"Worker processes." default:"2"`
	Orders  int           `help:"Orders that are written to." default:"60"`
	Rate    int           `help:"Changes a second." default:"60"`
	Every   time.Duration `help:"Mean time between two faults." default:"4s"`
	Only    string        `help:"Make faults of this kind alone, such as 'kill worker'."`
	Well    time.Duration `help:"How long a target must have been well before a delivery that is still parked counts as forgotten." default:"1m"`
	Binary  string        `help:"Binary to test; by default ./cmd/tidings is built." type:"path"`
	NoSweep bool          `help:"Plant a fault of Tidings itself: no process sweeps. The judge must find what is lost."`
	NoKeep  bool          `help:"Plant a fault: nobody lets out what is parked. The judge must find what is forgotten."`
	NoLimit bool          `help:"Plant a fault: the limited target is not limited. The judge must find the crowd."`
	JSON    bool          `help:"Print the report as one JSON object."`
	Verbose bool          `help:"Tell each fault." short:"v"`
}

func main() {
	var plan Plan
	kong.Parse(&plan, kong.Description("The fault suite of Tidings."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := Run(ctx, plan, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	if plan.JSON {
		_ = json.NewEncoder(os.Stdout).Encode(report)
	} else {
		report.Print(os.Stdout)
	}
	if !report.Good() {
		os.Exit(1)
	}
}

// Run makes one run and returns the judge's report; the error is about the suite itself.
func Run(ctx context.Context, plan Plan, progress io.Writer) (Report, error) {
	if plan.Seed == 0 {
		plan.Seed = rand.Uint64()
	}
	log := slog.New(slog.NewTextHandler(progress, nil))
	if !plan.Verbose {
		log = slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	fmt.Fprintf(progress, "seed %d\n", plan.Seed)
	history := NewHistory()
	receivers, err := StartReceivers(history, rand.New(rand.NewPCG(plan.Seed, 1)))
	if err != nil {
		return Report{}, err
	}
	defer receivers.Close()
	fleet, err := StartFleet(ctx, plan, log)
	if err != nil {
		return Report{}, err
	}
	defer fleet.Close()
	writers := NewWriters(fleet, receivers, history, plan)
	if err := writers.Register(ctx); err != nil {
		return Report{}, err
	}

	faulty, end := context.WithTimeout(ctx, plan.For)
	defer end()
	written := make(chan struct{})
	go func() { defer close(written); writers.Run(faulty) }()
	watched := fleet.Watch(faulty, receivers, history)
	spell := receivers.Spells(faulty, rand.New(rand.NewPCG(plan.Seed, 3)))
	spoiler := &Spoiler{fleet: fleet, receivers: receivers, history: history, log: log,
		rng: rand.New(rand.NewPCG(plan.Seed, 2)), every: plan.Every, only: plan.Only}
	spoiler.Run(faulty)
	<-written
	<-watched
	<-spell
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}

	receivers.Mend()
	wellAt := time.Now()
	if err := fleet.AllUp(ctx); err != nil {
		return Report{}, err
	}
	rest := fleet.Rest(ctx, plan.Quiet)
	events, audit, err := fleet.Look(ctx, history)
	if err != nil {
		return Report{}, err
	}
	rec := history.Snapshot()
	rec.LetOut = time.Since(wellAt) >= plan.Well
	rec.Limited, rec.Listening = receivers.Limited(), receivers.Listening()
	report := Judge(rec, events, audit)
	report.Seed, report.Rested = plan.Seed, rest
	return report, nil
}
