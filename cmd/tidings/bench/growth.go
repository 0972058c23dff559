package bench

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidings/tidings/store/embedded"
)

// GrowthPlan says how much is measured.
type GrowthPlan struct {
	Rounds     int
	Deliveries int      // of each step of fan-out, size, workers and ingest
	Open       int      // the longest backlog
	Events     int      // among which is searched
	Parts      []string // names of those that are measured
	Few        bool     // only the first and the last step of each part but backlog
}

// Point is what one step came to in one round.
type Point struct {
	Cost
	PerSecond float64 `json:"perSecond"`
	Answer    Latency `json:"answer,omitzero"` // of the PUTs
	Resident  float64 `json:"tidingsResidentBytes"`
	Complete  bool    `json:"complete"` // all that was owed arrived while we watched
}

// part is measured once for each size.
type part struct {
	name, title, size string
	at                []int
	measure           func(ctx context.Context, cfg Config, at int) (Point, error)
}

// parts that the plan asks for; the queries are apart.
func (p GrowthPlan) parts() (all []part) {
	every := []part{
		{"ingest", "Taking changes: role api, no worker", "writers", []int{1, 8, speedWriters}, p.ingest},
		{"fanout", "Fan-out", "notifications of an order", []int{1, 2, 5, 10, 20}, p.fanOut},
		{"size", "Size of an order", "bytes", []int{1 << 10, 10 << 10, 100 << 10}, p.size},
		{"backlog", "Open deliveries, written while no worker runs, and drained", "open", p.backlogs(), p.backlog},
		{"workers", "Worker processes, draining a backlog", "processes", []int{1, 2, 4}, p.workers},
	}
	for _, one := range every {
		if !p.wants(one.name) {
			continue
		}
		if p.Few && one.name != "backlog" {
			one.at = []int{one.at[0], one.at[len(one.at)-1]}
		}
		all = append(all, one)
	}
	return all
}

func (p GrowthPlan) wants(name string) bool { return slices.Contains(p.Parts, name) }

// backlogs are the powers of ten from 1000 on, and the longest.
func (p GrowthPlan) backlogs() (all []int) {
	for n := 1000; n < p.Open; n *= 10 {
		all = append(all, n)
	}
	return append(all, p.Open)
}

// Growth measures what becomes of costs and rates as something grows: each step on a fresh stand, round after round.
func Growth(ctx context.Context, cfg Config, p GrowthPlan) (GrowthReport, error) {
	report := GrowthReport{Kind: "growth"}
	if _, found := embedded.Find(); !found {
		return report, ErrNoRedis
	}
	var err error
	if report.Conditions, err = conditions(ctx, cfg); err != nil {
		return report, err
	}
	report.Conditions.Rounds = p.Rounds
	measured := map[string]map[int][]Point{}
	for round := range p.Rounds {
		for _, part := range p.parts() {
			for _, at := range part.at {
				fmt.Fprintf(cfg.Progress, "round %d of %d: %s, %d %s\n", round+1, p.Rounds, part.name, at, part.size)
				point, err := part.measure(ctx, cfg, at)
				if err != nil {
					return report, fmt.Errorf("%s, %d %s: %w", part.name, at, part.size, err)
				}
				fmt.Fprintf(cfg.Progress, "  %.0f/s, CPU %.3f ms, %.1f commands\n", point.PerSecond, point.CPU["all"], point.Commands)
				if measured[part.name] == nil {
					measured[part.name] = map[int][]Point{}
				}
				measured[part.name][at] = append(measured[part.name][at], point)
			}
		}
	}
	for _, part := range p.parts() {
		report.Parts = append(report.Parts, sumUpPart(part, measured[part.name]))
	}
	if p.wants("queries") {
		if report.Queries, err = queries(ctx, cfg, p.Events); err != nil {
			return report, fmt.Errorf("queries among %d Events: %w", p.Events, err)
		}
	}
	report.judge()
	return report, nil
}
