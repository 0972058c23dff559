package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings/tidings/store/embedded"
)

// SpeedPlan says how much is measured.
type SpeedPlan struct {
	Rounds int           // each measures all three ways once; figures are medians over rounds
	For    time.Duration // how long each way is loaded as hard as it goes
	Steady time.Duration // how long the latencies are measured; 0: not at all
	Rate   int           // changes a second meanwhile
	Idle   time.Duration // how long Tidings is watched doing nothing; 0: not at all
	Fanout int           // notifications of each order in (c): what one change is told to
}

// The three ways that are compared.
const (
	wayBare    = "a" // a loop of POSTs with Tidings' client: the limit
	wayAsynq   = "b" // plain Asynq: enqueue, and a handler that POSTs; nothing is recorded
	wayTidings = "c" // PUT over HTTP, match, commit, enqueue, POST, Event recorded
)

var ways = []string{wayBare, wayAsynq, wayTidings}

// What all three have in common.
const (
	speedTargets = 10
	speedOrders  = 2000
	// speedWriters write changes as fast as they are taken: PUTs in (c), enqueues in (b).
	speedWriters = 128
	// asynqServers is what was found best for plain Asynq in one process.
	asynqServers = 4
)

// Way is one way's figures in one round.
type Way struct {
	Cost
	PerSecond float64        `json:"perSecond"` // delivered, from the first change to the last arrival
	Delivered int            `json:"delivered"`
	Written   float64        `json:"writtenPerSecond"` // changes that were accepted, while they were written
	Recorded  int            `json:"eventsRecorded,omitempty"`
	Parked    map[string]int `json:"parked,omitempty"`               // by why; it costs a delivery a second way through the queue
	Resident  float64        `json:"tidingsResidentBytes,omitempty"` // when all was delivered
	Idle      float64        `json:"idleCpuPercent,omitempty"`       // of one core: Tidings and Redis together, while nothing happens
	Steady    Latency        `json:"steady,omitzero"`                // from PUT (or enqueue) to arrival at the steady rate
}

// Speed makes all measurements, round after round, so that what else happens on the machine meets all ways alike.
func Speed(ctx context.Context, cfg Config, p SpeedPlan) (SpeedReport, error) {
	report := SpeedReport{Kind: "speed"}
	if _, found := embedded.Find(); !found {
		return report, ErrNoRedis
	}
	var err error
	if report.Conditions, err = conditions(ctx, cfg); err != nil {
		return report, err
	}
	report.Conditions.Rounds, report.Conditions.Rate, report.Conditions.Seconds = p.Rounds, p.Rate, p.For.Seconds()
	report.Conditions.Idle, report.Conditions.Fanout = p.Idle.Seconds(), p.Fanout
	for round := range p.Rounds {
		measured := map[string]Way{}
		for _, way := range ways {
			fmt.Fprintf(cfg.Progress, "round %d of %d: %s\n", round+1, p.Rounds, wayNames[way])
			w, err := measure(ctx, cfg, p, way)
			if err != nil {
				return report, fmt.Errorf("%s: %w", wayNames[way], err)
			}
			fmt.Fprintf(cfg.Progress, "  %.0f/s, p50 %.1f ms, p99 %.1f ms at %d/s\n", w.PerSecond, w.Steady.P50, w.Steady.P99, p.Rate)
			measured[way] = w
		}
		report.Runs = append(report.Runs, measured)
	}
	report.sumUp()
	return report, nil
}
