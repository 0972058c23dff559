package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

func TestPercentilesAreOfTheNearestRank(t *testing.T) {
	t.Parallel()
	upTo := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(n-i)*time.Millisecond) // not sorted
		}
		return all
	}
	tests := map[string]struct {
		took []time.Duration
		want bench.Latency
	}{
		"nothing arrived":                        {nil, bench.Latency{}},
		"one":                                    {upTo(1), bench.Latency{Count: 1, P50: 1, P95: 1, P99: 1, Max: 1}},
		"a hundred: the p99 is not the maximum":  {upTo(100), bench.Latency{Count: 100, P50: 50, P95: 95, P99: 99, Max: 100}},
		"ten: the p99 is rounded up, not down":   {upTo(10), bench.Latency{Count: 10, P50: 5, P95: 10, P99: 10, Max: 10}},
		"101: a rank between two is the later's": {upTo(101), bench.Latency{Count: 101, P50: 51, P95: 96, P99: 100, Max: 101}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := bench.Summarise(tt.took); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestMedianOfAnEvenNumber(t *testing.T) {
	t.Parallel()
	if got := bench.SpreadOf([]float64{9, 1, 3, 5}); got != (bench.Spread{Median: 4, Min: 1, Max: 9}) {
		t.Errorf("got %+v", got)
	}
}

func TestCostOfADelivery(t *testing.T) {
	t.Parallel()
	const before = "# Stats\r\ntotal_reads_processed:100\r\ntotal_net_input_bytes:1000\r\ntotal_net_output_bytes:500\r\nused_memory:4096\r\nmem_clients_normal:96\r\nmem_aof_buffer:0\r\n" +
		"used_memory_rss:9\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.5\r\nused_cpu_sys_children:7\r\ncmdstat_get:calls=10,usec=9,usec_per_call=0.90\r\n"
	const after = "# Stats\r\ntotal_reads_processed:130\r\ntotal_net_input_bytes:3000\r\ntotal_net_output_bytes:1500\r\nused_memory:8192\r\nmem_clients_normal:1096\r\nmem_aof_buffer:96\r\n" +
		"used_memory_rss:99\r\nused_cpu_sys:1.6\r\nused_cpu_user:2.8\r\nused_cpu_sys_children:70\r\ncmdstat_get:calls=30,usec=9,usec_per_call=0.90\r\ncmdstat_config|get:calls=20,usec=1\r\n"
	got := bench.CostOf(before, after, 10)
	if got.RoundTrips != 3 || got.Bytes != 300 || got.Memory != 300 || got.Commands != 4 || math.Abs(got.CPU["redis"]-40) > 1e-9 || got.CPU["all"] != got.CPU["redis"] {
		t.Errorf("%+v", got)
	}
}

// A loader that is late must not hide it: what it sends late is still stamped with the time at which it was due.
func TestLateLoaderShows(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Second)
	var mu sync.Mutex
	dues := map[int]time.Time{}
	sent, failed, lag := bench.OpenLoop(t.Context(), began, 20, 10*time.Millisecond, func(_ context.Context, seq int, due time.Time) error {
		mu.Lock()
		defer mu.Unlock()
		dues[seq] = due
		if seq == 3 {
			return errors.New("refused")
		}
		return nil
	})
	if sent != 19 || failed != 1 || lag.Max < 1000 || lag.P50 < 800 {
		t.Errorf("sent %d, failed %d, lag %+v", sent, failed, lag)
	}
	for seq, due := range dues {
		if !due.Equal(began.Add(time.Duration(seq) * 10 * time.Millisecond)) {
			t.Errorf("change %d was due at %s after the beginning", seq, due.Sub(began))
		}
	}
}

func TestStampSurvivesInTheDocument(t *testing.T) {
	t.Parallel()
	due := time.Unix(1_790_000_000, 123_456_789)
	seq, at, ok := bench.ReadStamp([]byte(bench.Document(42, due)))
	if !ok || seq != 42 || at != due.UnixNano() {
		t.Error(seq, at, ok)
	}
	if _, _, ok := bench.ReadStamp([]byte(`{"benchStamp":"4`)); ok {
		t.Error("half a stamp was read")
	}
}

func TestOrdersOfASize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1 << 10, 10 << 10, 100 << 10} {
		text := bench.DocumentOf(size)
		if !json.Valid([]byte(text)) || len(text) < size*95/100 || len(text) > size*105/100 {
			t.Errorf("%d bytes wanted, %d made: %.200s", size, len(text), text)
		}
	}
}

// Ten changes, one each 100 ms, over two targets of which the first goes bad after 200 ms.
func TestJudgeCountsTheGoodTargetsInTheWindow(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_790_000_000, 0)
	every := 100 * time.Millisecond
	arrival := func(seq int, after time.Duration) bench.Arrival {
		due := began.Add(time.Duration(seq) * every)
		return bench.Arrival{Seq: seq, Due: due.UnixNano(), At: due.Add(after).UnixNano()}
	}
	scene := bench.Scene{Targets: 2, Bad: 1, Warm: 200 * time.Millisecond, Window: 800 * time.Millisecond}
	seen := [][]bench.Arrival{
		{arrival(0, 0), arrival(2, 0), arrival(4, time.Minute)}, // bad: only counted, from the window on
		{
			arrival(1, 0),                     // before the window
			arrival(3, 10*time.Millisecond),   //
			arrival(5, 30*time.Millisecond),   //
			arrival(5, 40*time.Millisecond),   // twice: the first counts
			arrival(7, 1000*time.Millisecond), // after the window: it arrived, but does not count for the rate
		}, // and 9 never did
	}
	got := scene.Judge(seen, began, every, 10, began.Add(3*time.Second))
	if got.Missing != 1 || got.Duplicates != 1 || got.BadSeen != 2 || got.PerSecond != 2/0.8 {
		t.Errorf("%+v", got)
	}
	// What never arrived counts as long as we waited: 3 s - 0.9 s.
	if want := (bench.Latency{Count: 4, P50: 30, P95: 2100, P99: 2100, Max: 2100}); got.Latency != want {
		t.Errorf("latency %+v, want %+v", got.Latency, want)
	}
}

func TestRatiosAreMadeWithinARound(t *testing.T) {
	t.Parallel()
	run := func(name string, perSecond, p99, commands float64, n int) bench.Run {
		return bench.Run{Scene: name, PerSecond: perSecond, Latency: bench.Latency{Count: n, P99: p99}, Commands: commands}
	}
	// The machine was three times as slow in the second round: for both alike.
	baseline := []bench.Run{run("well", 200, 10, 60, 2000), run("well", 200, 30, 60, 2000), run("well", 200, 10, 60, 2000)}
	scene := []bench.Run{run("bad", 180, 11, 60, 1800), run("bad", 180, 33, 60, 1800), run("bad", 180, 11, 72, 1800)}
	got := bench.Compare(scene, baseline)
	if got.Throughput != 1 || got.P99 != 1.1 || got.Commands != 1 || !got.Met {
		t.Errorf("%+v", got)
	}
	slow := []bench.Run{run("bad", 180, 13, 60, 1800), run("bad", 180, 13, 60, 1800), run("bad", 180, 13, 60, 1800)}
	if got := bench.Compare(slow, baseline); got.P99 != 1.3 || got.Met {
		t.Errorf("a missed bar is told as met: %+v", got)
	}
}
