package main

import (
	"context"
	"errors"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

type benchGrowth struct {
	benchOn
	Quick      bool     `help:"One round of small numbers (about half a minute)."`
	JSON       bool     `help:"Print one JSON object."`
	Only       []string `help:"Only some parts: ingest, fanout, size, backlog, workers, queries." enum:"ingest,fanout,size,backlog,workers,queries" default:"ingest,fanout,size,backlog,workers,queries"`
	Rounds     int      `help:"Rounds; each measures every step once. The queries are measured once." default:"3"`
	Deliveries int      `help:"Deliveries of each step." default:"10000"`
	Open       int      `help:"The longest backlog, up to 1000000." default:"100000"`
	Events     int      `help:"Events among which is searched, up to 10000000." default:"100000"`
}

var errBenchGrowth = errors.New("bench: --rounds must be at least 1, --deliveries from 20 to 1000000, --open from 10 to 1000000, --events from 100 to 10000000")

// What --quick takes at most.
const (
	quickDeliveries = 1000
	quickOpen       = 5000
	quickEvents     = 20_000
)

// Run measures and prints; bars that were missed are told, and are no error.
func (c benchGrowth) Run(ctx context.Context, out output) error {
	if c.Rounds < 1 || c.Deliveries < 20 || c.Deliveries > 1_000_000 || c.Open < 10 || c.Open > 1_000_000 || c.Events < 100 || c.Events > 10_000_000 {
		return usageError{errBenchGrowth}
	}
	plan := bench.GrowthPlan{Rounds: c.Rounds, Deliveries: c.Deliveries, Open: c.Open, Events: c.Events, Parts: c.Only, Few: c.Quick}
	if c.Quick {
		plan.Rounds, plan.Deliveries = 1, min(c.Deliveries, quickDeliveries)
		plan.Open, plan.Events = min(c.Open, quickOpen), min(c.Events, quickEvents)
	}
	cfg, err := c.config(out)
	if err != nil {
		return err
	}
	report, err := bench.Growth(ctx, cfg, plan)
	if err != nil {
		return err
	}
	return printReport(out, c.JSON, report)
}
