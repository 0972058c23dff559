package batch_test

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue/batch"
	"github.com/tidings/tidings/store/storetest"
)

// What a script costs that 128 goroutines call at once: in turn through a client as it is, through the Hook, and
// through go-redis' own AutoPipeliner. CPU is what counts: on a busy machine it is the bound.
func BenchmarkScripts(b *testing.B) {
	ways := map[string]func(*redis.Client) redis.UniversalClient{
		"plain": func(rdb *redis.Client) redis.UniversalClient { return clone(b, rdb) },
		"batched": func(rdb *redis.Client) redis.UniversalClient {
			client := clone(b, rdb)
			client.AddHook(batch.NewHook(clone(b, rdb, once)))
			return client
		},
		"autopipeline": func(rdb *redis.Client) redis.UniversalClient {
			client, err := clone(b, rdb).AutoPipeline()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = client.Close() })
			return client
		},
	}
	for _, way := range []string{"plain", "batched", "autopipeline"} {
		b.Run(way, func(b *testing.B) {
			rdb := storetest.Server(b)
			client := ways[way](rdb)
			if err := increment.Run(b.Context(), client, []string{"n"}, 1).Err(); err != nil {
				b.Fatal(err)
			}
			value := strings.Repeat("x", 500)
			b.SetParallelism(64)
			ours, theirs := cpu(b), redisCPU(b, rdb)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := increment.Run(b.Context(), client, []string{"n"}, 1, value).Err(); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(cpu(b)-ours)/float64(b.N)/1000, "cpu-µs/op")
			b.ReportMetric((redisCPU(b, rdb)-theirs)*1e6/float64(b.N), "redis-cpu-µs/op")
		})
	}
}

// What a script takes that nobody else calls at the same time: gathering must not make it slower.
func BenchmarkLoneScript(b *testing.B) {
	for _, way := range []string{"plain", "batched"} {
		b.Run(way, func(b *testing.B) {
			rdb := storetest.Server(b)
			client := clone(b, rdb)
			if way == "batched" {
				client.AddHook(batch.NewHook(clone(b, rdb, once)))
			}
			if err := increment.Run(b.Context(), client, []string{"n"}, 1).Err(); err != nil {
				b.Fatal(err)
			}
			ctx := context.WithoutCancel(b.Context()) // as workers have
			for b.Loop() {
				if err := increment.Run(ctx, client, []string{"n"}, 1).Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func redisCPU(b *testing.B, rdb *redis.Client) (seconds float64) {
	text, err := rdb.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			n, _ := strconv.ParseFloat(value, 64)
			seconds += n
		}
	}
	return seconds
}
