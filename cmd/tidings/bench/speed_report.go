package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

var wayNames = map[string]string{
	wayBare:    "(a) bare loop of POSTs",
	wayAsynq:   "(b) plain Asynq",
	wayTidings: "(c) Tidings",
}

// Bars of speed.
const (
	BarAsynq         = 1.0  // c/b: everything for the price of the bare queue
	BarSteadyP50     = 10   // ms at 50 changes a second
	BarSteadyP99     = 50   // ms
	BarCPU           = 0.6  // ms of everything on the machine, a delivery
	BarRedisCommands = 30   // of Redis, change and delivery together
	BarMemory        = 1229 // bytes of Redis a delivered Event: 1.2 KiB
	BarIdle          = 1.0  // percent of one core, Redis included
)

// SpeedReport is what `tidings bench` prints.
type SpeedReport struct {
	Kind       string             `json:"kind"`
	Conditions Conditions         `json:"conditions"`
	Ratios     map[string]float64 `json:"ratios"` // medians of the ratios within each round: c/b and c/a
	Spreads    map[string]Spread  `json:"ratioSpreads"`
	Rates      map[string]Spread  `json:"deliveredPerSecond"`
	Latencies  map[string]Latency `json:"latencies"` // medians of the rounds' figures, at the steady rate
	Commands   map[string]float64 `json:"redisCommandsPerDelivery"`
	RoundTrips map[string]float64 `json:"redisRoundTripsPerDelivery"`
	Bytes      map[string]float64 `json:"redisNetworkBytesPerDelivery"`
	Memory     map[string]float64 `json:"redisMemoryBytesPerDelivery"`
	CPU        map[string]float64 `json:"cpuMsPerDelivery"`              // of all processes together
	Allocated  float64            `json:"tidingsAllocatedBytesPerEvent"` // by (c) for each delivery
	Resident   float64            `json:"tidingsResidentBytes"`
	Idle       float64            `json:"idleCpuPercent"` // of one core
	Bars       []Bar              `json:"bars"`
	Runs       []map[string]Way   `json:"runs"`
}

// of is the spread of one figure of a way over the rounds.
func (r *SpeedReport) of(way string, figure func(Way) float64) Spread {
	var figures []float64
	for _, run := range r.Runs {
		figures = append(figures, figure(run[way]))
	}
	return SpreadOf(figures)
}

func (r *SpeedReport) sumUp() {
	r.Ratios, r.Spreads, r.Rates, r.Latencies = map[string]float64{}, map[string]Spread{}, map[string]Spread{}, map[string]Latency{}
	r.Commands, r.RoundTrips, r.Bytes = map[string]float64{}, map[string]float64{}, map[string]float64{}
	r.Memory, r.CPU = map[string]float64{}, map[string]float64{}
	for _, way := range ways {
		r.Rates[way] = r.of(way, func(w Way) float64 { return w.PerSecond })
		r.CPU[way] = r.of(way, func(w Way) float64 { return w.CPU["all"] }).Median
		if way == wayBare {
			continue
		}
		r.Commands[way] = r.of(way, func(w Way) float64 { return w.Commands }).Median
		r.RoundTrips[way] = r.of(way, func(w Way) float64 { return w.RoundTrips }).Median
		r.Bytes[way] = r.of(way, func(w Way) float64 { return w.Bytes }).Median
		r.Memory[way] = r.of(way, func(w Way) float64 { return w.Memory }).Median
		r.Latencies[way] = medianLatency(r.Runs, func(run map[string]Way) Latency { return run[way].Steady })
	}
	r.Allocated = r.of(wayTidings, func(w Way) float64 { return w.Allocated }).Median
	r.Resident = r.of(wayTidings, func(w Way) float64 { return w.Resident }).Median
	r.Idle = r.of(wayTidings, func(w Way) float64 { return w.Idle }).Median
	for _, way := range []string{wayBare, wayAsynq} {
		var ratios []float64
		for _, run := range r.Runs {
			ratios = append(ratios, ratio(run[wayTidings].PerSecond, run[way].PerSecond))
		}
		r.Spreads["c/"+way] = SpreadOf(ratios)
		r.Ratios["c/"+way] = SpreadOf(ratios).Median
	}
	r.judge()
}

// judge holds the medians against the bars, which are for one notification an order; of what was not measured nothing is said.
func (r *SpeedReport) judge() {
	if r.Conditions.Fanout > 1 {
		return
	}
	r.Bars = []Bar{atLeast("c/b", "", BarAsynq, r.Ratios["c/b"])}
	measured := func(yes bool, b Bar) {
		if yes {
			r.Bars = append(r.Bars, b)
		}
	}
	cpu, l := r.CPU[wayTidings], r.Latencies[wayTidings]
	at := fmt.Sprintf(" from PUT to arrival at %d/s", r.Conditions.Rate)
	measured(l.Count > 0, atMost("p50"+at, "ms", BarSteadyP50, l.P50))
	measured(l.Count > 0, atMost("p99"+at, "ms", BarSteadyP99, l.P99))
	measured(cpu > 0, atMost("CPU of everything for a delivery", "ms", BarCPU, cpu)) // not every system tells
	measured(true, atMost("Redis commands for change and delivery", "", BarRedisCommands, r.Commands[wayTidings]))
	measured(true, atMost("Redis memory for a delivered Event", "B", BarMemory, r.Memory[wayTidings]))
	measured(cpu > 0 && r.Conditions.Idle > 0, atMost("CPU of Tidings and Redis while nothing happens", "% of a core", BarIdle, r.Idle))
}

// Print writes the report for people.
func (r SpeedReport) Print(to io.Writer) {
	fmt.Fprintf(to, "%s\n\n", r.Conditions)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tdelivered/s\tmin\tmax\tp50 ms\tp95 ms\tp99 ms\tRedis cmds\ttrips\tnet B\tmem B\tCPU ms\t")
	for _, way := range ways {
		rate, l := r.Rates[way], r.Latencies[way]
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.3f\t\n", wayNames[way], rate.Median, rate.Min, rate.Max,
			l.P50, l.P95, l.P99, r.Commands[way], r.RoundTrips[way], r.Bytes[way], r.Memory[way], r.CPU[way])
	}
	_ = w.Flush()
	fmt.Fprintf(to, "\nc/b %.2f (%.2f to %.2f), c/a %.2f (%.2f to %.2f); medians over rounds.\n",
		r.Ratios["c/b"], r.Spreads["c/b"].Min, r.Spreads["c/b"].Max, r.Ratios["c/a"], r.Spreads["c/a"].Min, r.Spreads["c/a"].Max)
	fmt.Fprintf(to, "Latencies from PUT (in b: enqueue) to arrival at %d changes/s; all else as hard as it goes, per delivery,\n"+
		"CPU of all processes: loader, Tidings, Redis, receivers. Round trips: reads by Redis of a connection, a pipelined batch is one.\n"+
		"Tidings allocates %.1f KiB for a delivery, and has %.0f MiB resident after the load.\n",
		r.Conditions.Rate, r.Allocated/1024, r.Resident/(1<<20))
	r.printRounds(to)
	printBars(to, r.Bars)
}

// printRounds tells where the CPU went, and what else tells one round from another.
func (r SpeedReport) printRounds(to io.Writer) {
	fmt.Fprintln(to, "\nEach round (CPU by process):")
	for i, run := range r.Runs {
		for _, way := range ways {
			w := run[way]
			fmt.Fprintf(to, "  %d %s: %d deliveries, of changes at %.0f/s, delivered %.0f/s; CPU ms: tidings %.3f, redis %.3f, receivers %.3f, bench %.3f; parked %s; idle %.2f %%\n", i+1, wayNames[way],
				w.Delivered, w.Written, w.PerSecond, w.CPU["tidings"], w.CPU["redis"], w.CPU["receivers"], w.CPU["bench"], listed(w.Parked), w.Idle)
		}
	}
	fmt.Fprintln(to)
}

// ReadSpeed reads a report that --json wrote.
func ReadSpeed(path string) (r SpeedReport, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", path, err)
	}
	if r.Kind != "speed" {
		return r, fmt.Errorf("read %s: it is no report of tidings bench --json", path)
	}
	return r, nil
}

// PrintAgainst writes what changed since an old report. Ratios are of use even when the machine was busier then; rates are
// only on an equally quiet one.
func (r SpeedReport) PrintAgainst(old SpeedReport, to io.Writer) {
	fmt.Fprintf(to, "\nAgainst the report of %s:\n\n", old.Conditions)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\told\tnew\tnew/old\t")
	line := func(name string, before, now float64) {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t\n", name, before, now, ratio(now, before))
	}
	for _, name := range []string{"c/b", "c/a"} {
		line(name, old.Ratios[name], r.Ratios[name])
	}
	for _, way := range ways {
		line(wayNames[way]+", delivered/s", old.Rates[way].Median, r.Rates[way].Median)
		line(wayNames[way]+", CPU ms", old.CPU[way], r.CPU[way])
	}
	line("(c) p50 ms", old.Latencies[wayTidings].P50, r.Latencies[wayTidings].P50)
	line("(c) p99 ms", old.Latencies[wayTidings].P99, r.Latencies[wayTidings].P99)
	line("(c) Redis commands", old.Commands[wayTidings], r.Commands[wayTidings])
	line("(c) Redis round trips", old.RoundTrips[wayTidings], r.RoundTrips[wayTidings])
	line("(c) Redis network bytes", old.Bytes[wayTidings], r.Bytes[wayTidings])
	line("(c) Redis memory bytes", old.Memory[wayTidings], r.Memory[wayTidings])
	_ = w.Flush()
}
