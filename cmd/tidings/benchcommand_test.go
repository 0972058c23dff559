package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidings/tidings/cmd/tidings/bench"
	"github.com/tidings/tidings/store/embedded"
)

// TestMain lets this binary play what the bench starts in processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bench.ProcessCommand {
		main() // does not return
	}
	os.Exit(m.Run())
}

func needRedisServer(t *testing.T) {
	t.Helper()
	if _, found := embedded.Find(); !found {
		if os.Getenv("TIDINGS_REQUIRE_REDIS") != "" {
			t.Fatal("no redis-server on the PATH")
		}
		t.Skip("no redis-server on the PATH: the bench needs a real one")
	}
}

func runBench(t *testing.T, report any, args ...string) {
	t.Helper()
	var out, progress bytes.Buffer
	if code := run(t.Context(), append([]string{"bench"}, args...), &out, &progress); code != 0 {
		t.Fatalf("exit status %d\n%s", code, &progress)
	}
	if err := json.Unmarshal(out.Bytes(), report); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
}

// Small numbers: this is about the bench, not about Tidings.
func TestBenchMeasuresAllWays(t *testing.T) {
	t.Parallel()
	needRedisServer(t)
	var got bench.SpeedReport
	flame := filepath.Join(t.TempDir(), "flame.svg")
	runBench(t, &got, "--quick", "--json", "--for", "1s", "--steady", "500ms", "--idle", "300ms", "--flame", flame)
	if svg, err := os.ReadFile(flame); err != nil || !bytes.Contains(svg, []byte("Deliverer.Deliver")) {
		t.Errorf("the flame graph does not show what was measured: %v, %.300s", err, svg)
	}
	for _, way := range []string{"a", "b", "c"} {
		if got.Rates[way].Min <= 0 || got.CPU[way] <= 0 {
			t.Errorf("(%s): %+v, CPU %v", way, got.Rates[way], got.CPU[way])
		}
	}
	if got.Ratios["c/b"] <= 0 || got.Ratios["c/a"] <= 0 || got.Latencies["c"].P50 <= 0 || got.Commands["c"] <= got.Commands["b"] || got.Bytes["c"] <= 0 {
		t.Errorf("%+v", got)
	}
	if got.RoundTrips["b"] < 1 || got.RoundTrips["c"] <= 0 || got.RoundTrips["c"] >= got.Commands["c"] || got.Allocated <= 0 || got.Resident < 1<<20 || len(got.Bars) != 7 {
		t.Errorf("%+v", got)
	}
	for _, r := range got.Runs {
		if c := r["c"]; c.Recorded < c.Delivered {
			t.Errorf("%d delivered, %d Events recorded", c.Delivered, c.Recorded)
		}
	}
}

func TestBenchMeasuresSeveralNotificationsOfAnOrderOverTCP(t *testing.T) {
	t.Parallel()
	needRedisServer(t)
	var got bench.SpeedReport
	runBench(t, &got, "--rounds", "1", "--json", "--for", "1s", "--steady", "500ms", "--idle", "0s", "--fanout", "3", "--tcp")
	if !strings.HasSuffix(got.Conditions.Redis, ", TCP") {
		t.Errorf("Redis %s", got.Conditions.Redis)
	}
	c := got.Runs[0]["c"]
	if c.Recorded < c.Delivered || c.Delivered == 0 || c.Delivered%3 > 0 || c.Steady.Count != 3*got.Runs[0]["b"].Steady.Count || len(got.Bars) > 0 {
		t.Errorf("%+v, %+v", c, got.Bars)
	}
}

func TestBenchMeasuresIsolation(t *testing.T) {
	t.Parallel()
	needRedisServer(t)
	var got bench.IsolationReport
	runBench(t, &got, "isolation", "--quick", "--json", "--only", "hang", "--timeout", "1s", "--rate", "100")
	if len(got.Scenes) != 2 {
		t.Fatalf("%+v", got)
	}
	well, hangs := got.Scenes[0].Runs[0], got.Scenes[1].Runs[0]
	if well.Latency.Count != 300 || hangs.Latency.Count != 270 || well.Missing+hangs.Missing > 0 || well.BadSeen > 0 {
		t.Errorf("%+v\n%+v", well, hangs)
	}
	if hangs.BadSeen == 0 || hangs.Attempts["timeout"] == 0 || well.Commands <= 0 {
		t.Errorf("nothing hung: %+v", hangs)
	}
}

func TestBenchMeasuresGrowth(t *testing.T) {
	t.Parallel()
	needRedisServer(t)
	var got bench.GrowthReport
	runBench(t, &got, "growth", "--quick", "--json", "--only", "ingest,fanout,size,backlog,workers", "--deliveries", "40", "--open", "60")
	want := map[string][]int{"ingest": {1, 128}, "fanout": {1, 20}, "size": {1 << 10, 100 << 10}, "backlog": {60}, "workers": {1, 4}}
	if len(got.Parts) != len(want) {
		t.Fatalf("%+v", got)
	}
	for _, part := range got.Parts {
		var at []int
		for _, step := range part.Steps {
			at = append(at, step.At)
			// So few deliveries can need less memory than a table of Redis that is just given back.
			if step.PerSecond.Median <= 0 || step.Memory == 0 || step.Resident <= 0 || !step.Complete {
				t.Errorf("%s: %+v", part.Name, step)
			}
		}
		if !slices.Equal(at, want[part.Name]) {
			t.Errorf("%s: %v, want %v", part.Name, at, want[part.Name])
		}
	}
}

func TestBenchMeasuresQueries(t *testing.T) {
	t.Parallel()
	needRedisServer(t)
	var got bench.GrowthReport
	runBench(t, &got, "growth", "--json", "--only", "queries", "--events", "700")
	if got.Queries == nil || got.Queries.Events < 700 || got.Queries.Memory <= 0 || len(got.Queries.Queries) != len(got.Bars) {
		t.Fatalf("%+v", got)
	}
	for _, q := range got.Queries.Queries {
		want := 10
		switch q.Query {
		case "the newest 100":
			want = 100
		case "of a notification": // two deliveries, of which one may have failed first
			want = min(max(q.Found, 2), 3)
		}
		if q.Count == 0 || q.P50 <= 0 || q.Found != want {
			t.Errorf("%+v", q)
		}
	}
}

func TestBenchNeedsARealRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, args := range [][]string{{"bench"}, {"bench", "isolation"}, {"bench", "growth"}} {
		var out, said bytes.Buffer
		if code := run(t.Context(), args, &out, &said); code != 1 || !strings.Contains(said.String(), "no redis-server or valkey-server on the PATH") {
			t.Errorf("%v: exit status %d, %s", args, code, &said)
		}
	}
}

func TestBenchRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"bench", "--rounds", "0"}, {"bench", "--compare", t.TempDir() + "/none"}, {"bench", "isolation", "--window", "1ms"},
		{"bench", "growth", "--open", "1"}, {"bench", "growth", "--only", "everything"}} {
		var out, said bytes.Buffer
		if code := run(t.Context(), args, &out, &said); code != 2 {
			t.Errorf("%v: exit status %d, %s", args, code, &said)
		}
	}
}
