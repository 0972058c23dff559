package bench_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

func report(c float64) bench.SpeedReport {
	way := func(perSecond float64) bench.Way {
		return bench.Way{PerSecond: perSecond, Cost: bench.Cost{CPU: map[string]float64{"all": 2000 / perSecond}, Commands: 40, RoundTrips: 9, Memory: 1000}, Steady: bench.Latency{Count: 9, P50: 4, P95: 8, P99: 12, Max: 20}, Idle: 0.2}
	}
	return bench.ReportOf(bench.Conditions{Rate: 50, Idle: 10},
		map[string]bench.Way{"a": way(8000), "b": way(2000), "c": way(c)},
		map[string]bench.Way{"a": way(4000), "b": way(1000), "c": way(c / 2)})
}

func TestSpeedReportAsJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(report(1000))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Kind      string
		Ratios    map[string]float64
		Latencies map[string]struct{ P50Ms, P95Ms, P99Ms float64 }
		Rates     map[string]struct{ Median, Min, Max float64 } `json:"deliveredPerSecond"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "speed" || got.Ratios["c/b"] != 0.5 || got.Ratios["c/a"] != 0.125 || got.Latencies["c"].P99Ms != 12 ||
		got.Rates["c"].Median != 750 || got.Rates["c"].Max != 1000 {
		t.Errorf("%+v of %s", got, text)
	}
}

// The header tells the rounds' length as it was: those of --quick are no whole seconds.
func TestConditionsTellHowLongARoundIs(t *testing.T) {
	t.Parallel()
	if text := (bench.Conditions{Rounds: 2, Seconds: 1.5, Rate: 50}).String(); !strings.Contains(text, "2 rounds of 1.5 s, steady load 50 changes/s") {
		t.Error(text)
	}
}

// What was not measured is no bar that was met.
func TestBarsOfWhatWasNotMeasured(t *testing.T) {
	t.Parallel()
	way := bench.Way{PerSecond: 1000, Cost: bench.Cost{CPU: map[string]float64{"all": 1}, Commands: 20, Memory: 900}}
	for _, bar := range bench.ReportOf(bench.Conditions{Rate: 50}, map[string]bench.Way{"a": way, "b": way, "c": way}).Bars {
		if strings.HasPrefix(bar.Name, "p") || strings.Contains(bar.Name, "nothing happens") || bar.Measured == 0 {
			t.Errorf("%+v", bar)
		}
	}
}

func TestCompareWithAnOldReport(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "old.json")
	text, err := json.Marshal(report(1000))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := bench.ReadSpeed(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	report(1500).PrintAgainst(old, &out)
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, "c/b 0.50 0.75 1.50") {
		t.Error(out.String())
	}
	if err := os.WriteFile(path, []byte(`{"kind":"isolation"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bench.ReadSpeed(path); err == nil {
		t.Error("a report of something else was taken")
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	report(1000).Print(&out)
	for _, want := range []string{"(c) Tidings", "c/b 0.50 (0.50 to 0.50)", "c/b >= 1 0.5 MISSED", "p50 from PUT to arrival at 50/s <= 10 ms 4 met",
		"CPU of everything for a delivery <= 0.6 ms 3 MISSED", "Redis commands for change and delivery <= 30 40 MISSED",
		"Redis memory for a delivered Event <= 1229 B 1000 met", "while nothing happens <= 1 % of a core 0.2 met"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	out.Reset()
	runs := []bench.Run{{Scene: "one hangs", PerSecond: 180, Latency: bench.Latency{Count: 1800, P99: 11}, Parked: map[string]int{"slow": 7, "trouble": 3}}}
	bench.IsolationReport{
		Scenes:   []bench.Compared{{Scene: "one hangs", Baseline: "all well", Throughput: 1, P99: 1.1, Runs: runs, Met: true}},
		Fairness: []bench.Fairness{{Scene: "burst to the same target", Burst: 5, Met: false}},
	}.Print(&out)
	for _, want := range []string{"slow 7, trouble 3", "met", "burst to the same target", "MISSED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
