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
	BarAsynq     = 1.0 // c/b: everything for the price of the bare queue
	BarSteadyP50 = 10  // ms at 50 changes a second
	BarSteadyP99 = 50
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
	Bytes      map[string]float64 `json:"redisNetworkBytesPerDelivery"`
	Memory     map[string]float64 `json:"redisMemoryBytesPerDelivery"`
	CPU        map[string]float64 `json:"cpuMsPerDelivery"` // of all processes together
	Runs       []map[string]Way   `json:"runs"`
}

func (r *SpeedReport) sumUp() {
	r.Ratios, r.Spreads, r.Rates, r.Latencies = map[string]float64{}, map[string]Spread{}, map[string]Spread{}, map[string]Latency{}
	r.Commands, r.Bytes, r.Memory, r.CPU = map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, way := range ways {
		each := func(figure func(Way) float64) Spread {
			var figures []float64
			for _, run := range r.Runs {
				figures = append(figures, figure(run[way]))
			}
			return SpreadOf(figures)
		}
		r.Rates[way] = each(func(w Way) float64 { return w.PerSecond })
		r.CPU[way] = each(func(w Way) float64 { return w.CPU["all"] }).Median
		if way == wayBare {
			continue
		}
		r.Commands[way] = each(func(w Way) float64 { return w.Commands }).Median
		r.Bytes[way] = each(func(w Way) float64 { return w.Bytes }).Median
		r.Memory[way] = each(func(w Way) float64 { return w.Memory }).Median
		r.Latencies[way] = Latency{
			P50: each(func(w Way) float64 { return w.Steady.P50 }).Median, P95: each(func(w Way) float64 { return w.Steady.P95 }).Median,
			P99: each(func(w Way) float64 { return w.Steady.P99 }).Median, Max: each(func(w Way) float64 { return w.Steady.Max }).Max,
			Count: int(each(func(w Way) float64 { return float64(w.Steady.Count) }).Median),
		}
	}
	for _, way := range []string{wayBare, wayAsynq} {
		var ratios []float64
		for _, run := range r.Runs {
			ratios = append(ratios, ratio(run[wayTidings].PerSecond, run[way].PerSecond))
		}
		r.Spreads["c/"+way] = SpreadOf(ratios)
		r.Ratios["c/"+way] = SpreadOf(ratios).Median
	}
}

// Print writes the report for people.
func (r SpeedReport) Print(to io.Writer) {
	fmt.Fprintf(to, "%s\n\n", r.Conditions)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tdelivered/s\tmin\tmax\tp50 ms\tp95 ms\tp99 ms\tRedis cmds\tRedis net B\tRedis mem B\tCPU ms\t")
	for _, way := range ways {
		rate, l := r.Rates[way], r.Latencies[way]
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.3f\t\n", wayNames[way], rate.Median, rate.Min, rate.Max,
			l.P50, l.P95, l.P99, r.Commands[way], r.Bytes[way], r.Memory[way], r.CPU[way])
	}
	_ = w.Flush()
	fmt.Fprintf(to, "\nc/b %.2f (%.2f to %.2f), c/a %.2f (%.2f to %.2f); medians over rounds.\n",
		r.Ratios["c/b"], r.Spreads["c/b"].Min, r.Spreads["c/b"].Max, r.Ratios["c/a"], r.Spreads["c/a"].Min, r.Spreads["c/a"].Max)
	fmt.Fprintf(to, "Latencies from PUT (in b: enqueue) to arrival at %d changes/s; all else as hard as it goes, per delivery,\n"+
		"CPU of all processes: loader, Tidings, Redis, receivers.\n", r.Conditions.Rate)
	r.printRounds(to)
	c := r.Latencies[wayTidings]
	fmt.Fprintf(to, "Bars: c/b >= %.1f %s; p50 <= %d ms %s, p99 <= %d ms %s (at 50/s).\n", BarAsynq, met(r.Ratios["c/b"] >= BarAsynq),
		BarSteadyP50, met(c.P50 <= BarSteadyP50), BarSteadyP99, met(c.P99 <= BarSteadyP99))
}

// printRounds tells where the CPU went, and what else tells one round from another.
func (r SpeedReport) printRounds(to io.Writer) {
	fmt.Fprintln(to, "\nEach round (CPU by process):")
	for i, run := range r.Runs {
		for _, way := range ways {
			w := run[way]
			fmt.Fprintf(to, "  %d %s: %d changes at %.0f/s, delivered %.0f/s; CPU ms: tidings %.3f, redis %.3f, receivers %.3f, bench %.3f; parked %s\n", i+1, wayNames[way],
				w.Delivered, w.Written, w.PerSecond, w.CPU["tidings"], w.CPU["redis"], w.CPU["receivers"], w.CPU["bench"], listed(w.Parked))
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
	line("(c) Redis network bytes", old.Bytes[wayTidings], r.Bytes[wayTidings])
	line("(c) Redis memory bytes", old.Memory[wayTidings], r.Memory[wayTidings])
	_ = w.Flush()
}
