package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Bars of growth.
const (
	BarOpenBytes = 1610 // of Redis an open delivery: a million in 1.5 GiB
	// BarFlat is what the drain of the longest backlog has at least of the best rate of shorter ones. Two runs of the same
	// may differ by as much.
	BarFlat  = 0.8
	BarQuery = 10 // ms, p99
)

// GrowthReport is what `tidings bench growth` prints.
type GrowthReport struct {
	Kind       string       `json:"kind"`
	Conditions Conditions   `json:"conditions"`
	Parts      []Part       `json:"parts"`
	Queries    *QueryReport `json:"queries,omitempty"`
	Bars       []Bar        `json:"bars"`
}

// Part is something that grows.
type Part struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Size  string `json:"size"` // what At counts
	Steps []Step `json:"steps"`
}

// Step is one size of it: medians over rounds.
type Step struct {
	At        int     `json:"at"`
	PerSecond Spread  `json:"perSecond"`
	ToFirst   float64 `json:"toFirst"` // the rate as a part of the first step's: median of the ratios within each round
	CPU       float64 `json:"cpuMs"`
	Commands  float64 `json:"redisCommands"`
	Trips     float64 `json:"redisRoundTrips"`
	Memory    float64 `json:"redisMemoryBytes"`
	Resident  float64 `json:"tidingsResidentBytes"`
	Answer    Latency `json:"answer,omitzero"`
	Complete  bool    `json:"complete"`
	Points    []Point `json:"points"`
}

func sumUpPart(p part, measured map[int][]Point) Part {
	sum := Part{Name: p.name, Title: p.title, Size: p.size}
	first := measured[p.at[0]]
	for _, at := range p.at {
		points := measured[at]
		of := func(figure func(Point) float64) float64 { return medianOf(points, figure) }
		step := Step{At: at, CPU: of(func(p Point) float64 { return p.CPU["all"] }), Commands: of(func(p Point) float64 { return p.Commands }),
			Trips: of(func(p Point) float64 { return p.RoundTrips }), Memory: of(func(p Point) float64 { return p.Memory }),
			Resident: of(func(p Point) float64 { return p.Resident }),
			Answer:   medianLatency(points, func(p Point) Latency { return p.Answer }), Complete: true, Points: points}
		var rates, ratios []float64
		for i, point := range points {
			rates, ratios = append(rates, point.PerSecond), append(ratios, ratio(point.PerSecond, first[i].PerSecond))
			step.Complete = step.Complete && point.Complete
		}
		step.PerSecond, step.ToFirst = SpreadOf(rates), SpreadOf(ratios).Median
		sum.Steps = append(sum.Steps, step)
	}
	return sum
}

// judge holds the longest backlog and the slowest query against their bars.
func (r *GrowthReport) judge() {
	r.Bars = []Bar{}
	for _, p := range r.Parts {
		if p.Name != "backlog" {
			continue
		}
		shorter, longest := p.Steps[:len(p.Steps)-1], p.Steps[len(p.Steps)-1]
		r.Bars = append(r.Bars, atMost(fmt.Sprintf("Redis memory for each of %d open deliveries", longest.At), "B", BarOpenBytes, longest.Memory))
		best := 0.0
		for _, step := range shorter {
			best = max(best, step.PerSecond.Median)
		}
		if best > 0 {
			r.Bars = append(r.Bars, atLeast(fmt.Sprintf("rate at %d open, of the best at fewer", longest.At), "", BarFlat, longest.PerSecond.Median/best))
		}
	}
	if r.Queries == nil {
		return
	}
	for _, q := range r.Queries.Queries {
		r.Bars = append(r.Bars, atMost(fmt.Sprintf("p99 of a query among %d Events: %s", r.Queries.Events, q.Query), "ms", BarQuery, q.P99))
	}
}

// answers are two columns; empty where nothing was written while it was measured.
func (s Step) answers() string {
	if s.Answer.Count == 0 {
		return "\t"
	}
	return fmt.Sprintf("%.1f\t%.1f", s.Answer.P50, s.Answer.P99)
}

// Print writes the report for people.
func (r GrowthReport) Print(to io.Writer) {
	fmt.Fprintf(to, "%s\n", r.Conditions)
	for _, p := range r.Parts {
		fmt.Fprintf(to, "\n%s:\n\n", p.Title)
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "%s\tper second\tmin\tmax\tto the first\tCPU ms\tRedis cmds\ttrips\tmem B\tTidings MiB\tPUT p50 ms\tp99 ms\t\t\n", p.Size)
		for _, s := range p.Steps {
			note := ""
			if !s.Complete {
				note = "not to its end"
			}
			fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.0f\t%.2f\t%.3f\t%.1f\t%.1f\t%.0f\t%.0f\t%s\t%s\t\n", s.At, s.PerSecond.Median, s.PerSecond.Min, s.PerSecond.Max, s.ToFirst,
				s.CPU, s.Commands, s.Trips, s.Memory, s.Resident/(1<<20), s.answers(), note)
		}
		_ = w.Flush()
	}
	if q := r.Queries; q != nil {
		fmt.Fprintf(to, "\nQueries among %d Events (%.0f B of Redis each with all that belongs to them; made at %.0f/s):\n\n", q.Events, q.Memory, q.Filled)
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "query\tfound\tp50 ms\tp95 ms\tp99 ms\tmax ms\t")
		for _, one := range q.Queries {
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t\n", one.Query, one.Found, one.P50, one.P95, one.P99, one.Max)
		}
		_ = w.Flush()
	}
	fmt.Fprintln(to)
	printBars(to, r.Bars)
}
