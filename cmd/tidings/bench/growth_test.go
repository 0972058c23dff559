package bench_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

// A slow beginning and a slow end are not what a drain is judged by.
func TestRateOfTheMiddle(t *testing.T) {
	t.Parallel()
	times := []int64{0} // and then one second's pause
	for i := range 98 {
		times = append(times, int64(time.Second)+int64(i)*int64(10*time.Millisecond))
	}
	times = append(times, int64(time.Minute))
	if got := bench.MiddleRate(times, 0.8); got < 99.9 || got > 100.1 {
		t.Errorf("%f/s, want 100", got)
	}
	for _, few := range [][]int64{nil, {1}, {1, 1}} {
		if got := bench.MiddleRate(few, 0.8); got != 0 {
			t.Errorf("%v: %f/s", few, got)
		}
	}
}

func TestLengthsOfBacklogs(t *testing.T) {
	t.Parallel()
	for open, want := range map[int][]int{500: {500}, 1000: {1000}, 5000: {1000, 5000}, 1_000_000: {1000, 10_000, 100_000, 1_000_000}} {
		if got := (bench.GrowthPlan{Open: open}).Backlogs(); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", open, got, want)
		}
	}
}

func TestGrowthIsHeldAgainstItsBars(t *testing.T) {
	t.Parallel()
	point := func(perSecond, memory float64) bench.Point {
		return bench.Point{PerSecond: perSecond, Cost: bench.Cost{Memory: memory, CPU: map[string]float64{"all": 0.5}}, Complete: true}
	}
	cut := point(700, 1600)
	cut.Complete = false
	got := bench.GrowthOf([]int{1000, 10_000, 100_000}, map[int][]bench.Point{
		1000:    {point(1000, 1), point(500, 1), point(900, 1)},
		10_000:  {point(1100, 1), point(1000, 1), point(990, 1)},
		100_000: {point(900, 1600), point(600, 1500), cut},
	}, &bench.QueryReport{Events: 7, Queries: []bench.QueryTime{{Query: "failed", Latency: bench.Latency{Count: 1, P99: 11}}}})
	steps := got.Parts[0].Steps
	if s := steps[2]; s.PerSecond != (bench.Spread{Median: 700, Min: 600, Max: 900}) || s.ToFirst != 0.9 || s.Memory != 1600 || s.Complete || s.CPU != 0.5 {
		t.Errorf("%+v", s)
	}
	if !steps[1].Complete || steps[0].ToFirst != 1 {
		t.Errorf("%+v", steps)
	}
	var out strings.Builder
	got.Print(&out)
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"each of 100000 open deliveries <= 1610 B 1600 met", "at 100000 open, of the best at fewer >= 0.8 0.7 MISSED", "failed <= 10 ms 11 MISSED", "not to its end"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// One backlog alone is no shorter than any: nothing is said of its rate.
func TestRateOfTheOnlyBacklog(t *testing.T) {
	t.Parallel()
	got := bench.GrowthOf([]int{10}, map[int][]bench.Point{10: {{PerSecond: 5}}}, nil)
	if len(got.Bars) != 1 || got.Bars[0].Most != bench.BarOpenBytes {
		t.Errorf("%+v", got.Bars)
	}
}
