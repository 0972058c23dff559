package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r IsolationReport) Print(to io.Writer) {
	fmt.Fprintf(to, "%s\n\nThe targets that stay well, while others go bad (medians; ratios to the run without a bad one):\n\n", r.Conditions)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scene\tdelivered/s\tratio\tp50 ms\tp95 ms\tp99 ms\tratio\tmax ms\tp99/s ms\tratio\tRedis cmds\tratio\tparked\tmissing\tbars\t")
	for _, c := range r.Scenes {
		verdict := ""
		if c.Scene != c.Baseline {
			verdict = met(c.Met)
		}
		of := func(figure func(Run) float64) float64 { return medianOf(c.Runs, figure) }
		fmt.Fprintf(w, "%s\t%.1f\t%.3f\t%.1f\t%.1f\t%.1f\t%.2f\t%.0f\t%.1f\t%.2f\t%.1f\t%.2f\t%.0f\t%.0f\t%s\t\n", c.Scene,
			of(func(r Run) float64 { return r.PerSecond }), c.Throughput,
			of(func(r Run) float64 { return r.Latency.P50 }), of(func(r Run) float64 { return r.Latency.P95 }),
			of(func(r Run) float64 { return r.Latency.P99 }), c.P99, of(func(r Run) float64 { return r.Latency.Max }),
			of(func(r Run) float64 { return r.Second }), c.Second,
			of(func(r Run) float64 { return r.Commands }), c.Commands,
			of(func(r Run) float64 { return float64(sum(r.Parked)) }), of(func(r Run) float64 { return float64(r.Missing) }), verdict)
	}
	_ = w.Flush()
	fmt.Fprintf(to, "\nBars: delivered >= %.2f, p99 <= %.1f, Redis commands <= %.1f times the run without a bad target.\n"+
		"p99/s: the p99 of each second by itself, and of those the median.\n", BarThroughput, BarP99, BarCommands)
	r.printLoader(to)
	r.printFairness(to)
}

// printLoader tells whether the loader itself was in the way, and how evenly the rounds went.
func (r IsolationReport) printLoader(to io.Writer) {
	fmt.Fprintln(to, "\nEach round (p99 of the loader's lateness, of the PUTs, and from PUT to arrival; why was parked; requests at bad targets):")
	for _, c := range r.Scenes {
		for i, run := range c.Runs {
			fmt.Fprintf(to, "  %s, %d: lag %.1f ms, PUT %.1f ms, arrival %.1f ms; parked %s; %d at bad targets; %d PUTs failed, %d duplicates\n",
				c.Scene, i+1, run.LoaderLag, run.PutP99, run.Latency.P99, listed(run.Parked), run.BadSeen, run.PutFailed, run.Duplicates)
		}
	}
}

func (r IsolationReport) printFairness(to io.Writer) {
	if len(r.Fairness) == 0 {
		return
	}
	fmt.Fprintf(to, "\nOne merchant bursts, another makes a change every %s (its latency from PUT to arrival; bar: max < %s):\n\n", otherEvery, maxFairness)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scene\tburst\tPUT/s\tdelivered/s\tdrained\tduring: n\tp50 ms\tp99 ms\tmax ms\tafter: n\tp50 ms\tp99 ms\tmax ms\tmissing\topen\tcmds\tbar\t")
	for _, f := range r.Fairness {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%t\t%d\t%.0f\t%.0f\t%.0f\t%d\t%.0f\t%.0f\t%.0f\t%d\t%d\t%.1f\t%s\t\n", f.Scene, f.Burst, f.PerSecond, f.DrainedPS, f.Drained,
			f.During.Count, f.During.P50, f.During.P99, f.During.Max, f.After.Count, f.After.P50, f.After.P99, f.After.Max, f.Missing, f.Open, f.Commands, met(f.Met))
	}
	_ = w.Flush()
}

func met(yes bool) string {
	if yes {
		return "met"
	}
	return "MISSED"
}

func sum(counts map[string]int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}

func listed(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", name, counts[name]))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
