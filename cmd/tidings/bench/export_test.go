package bench

import (
	"context"
	"time"
)

// For the tests of the harness itself.
var (
	Document  = document
	ReadStamp = readStamp
)

// OpenLoop returns how late the loader was.
func OpenLoop(ctx context.Context, began time.Time, n int, every time.Duration, send func(ctx context.Context, seq int, due time.Time) error) (sent, failed int, lag Latency) {
	l := openLoop(ctx, began, n, every, send)
	return l.Sent, l.Failed, l.Lag
}

// Judge is what a scene concludes from arrivals.
func (sc Scene) Judge(seen [][]Arrival, began time.Time, every time.Duration, n int, until time.Time) Run {
	return sc.judge(seen, began, every, n, until)
}

// DocumentOf is an order of about so many bytes.
func DocumentOf(size int) string { return filled(0, 0, time.Unix(0, 0), fillingOf(size)) }

// CostOf is what n deliveries cost, of which Redis told by INFO before and after.
func CostOf(before, after string, n float64) Cost {
	u, v := usage{CPU: map[string]float64{}}, usage{CPU: map[string]float64{}}
	u.read(before)
	v.read(after)
	return v.since(u).each(n)
}

// ReportOf sums up rounds.
func ReportOf(c Conditions, runs ...map[string]Way) SpeedReport {
	r := SpeedReport{Kind: "speed", Conditions: c, Runs: runs}
	r.sumUp()
	return r
}

// MiddleRate is the rate over the part in the middle of sorted times.
var MiddleRate = middleRate

// Backlogs are the lengths that a plan measures.
func (p GrowthPlan) Backlogs() []int { return p.backlogs() }

// GrowthOf sums up the points of backlogs, by how many were open, and holds them and the queries against the bars.
func GrowthOf(open []int, points map[int][]Point, q *QueryReport) GrowthReport {
	r := GrowthReport{Kind: "growth", Parts: []Part{sumUpPart(part{name: "backlog", title: "Backlogs", size: "open", at: open}, points)}, Queries: q}
	r.judge()
	return r
}
