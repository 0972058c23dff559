package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// sweeps counts the pipelines that look for what is overdue.
type sweeps struct{ n atomic.Int64 }

func (s *sweeps) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (s *sweeps) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (s *sweeps) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "zrangebyscore" {
			s.n.Add(1)
		}
		return next(ctx, cmds)
	}
}

// What is lost is found when it is due, 5 s after its commit, and until then hardly anybody looks.
func TestSweepComesWhenSomethingIsDueAndSeldomBefore(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		count := &sweeps{}
		rdb.AddHook(count)
		h := newHouse(t, rdb, 0)
		h.register("http://127.0.0.1:9/", nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); h.sweeper.Run(ctx) }()
		began := time.Now()
		lost := h.commitOnly("completed")[0]
		h.until(func() bool {
			held, err := h.store.Read(t.Context(), lost.ID)
			h.must(err)
			return held[0].Generation > lost.Generation
		}, func() string { return "not found" })
		looked := count.n.Load()
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("found after %s", took)
		}
		if looked > 4 { // after 1 s, when it is due, and maybe once in between; one every second would be 5 or 6
			t.Errorf("looked %d times", looked)
		}
		cancel()
		<-ended
	})
}

// The invariant is told soon after the start, however often Redis is away then; later it is looked at less often.
func TestFirstAuditIsSoon(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		soon := func() {
			t.Helper()
			if pause := queue.UntilAudit(h.sweeper); pause < queue.AuditAfter || pause > 2*queue.AuditAfter {
				t.Errorf("the first audit comes after %s", pause)
			}
		}
		soon()
		ended, end := context.WithCancel(t.Context())
		end()
		if err := h.sweeper.Audit(ended); err == nil {
			t.Error("an audit without Redis")
		}
		soon()
		h.must(h.sweeper.Audit(t.Context()))
		if pause := queue.UntilAudit(h.sweeper); pause != queue.AuditEvery {
			t.Errorf("the second audit comes after %s", pause)
		}
		if pause := queue.UntilAudit(h.newSweeper()); pause > 2*queue.AuditAfter {
			t.Errorf("that of another process comes after %s", pause)
		}
	})
}

// A counter that appears with its first event has no increase: what may be counted is told as 0.
func TestCountersBeginAtNought(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	queue.NewMetrics(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		series[f.GetName()] = len(f.GetMetric())
	}
	if series["tidings_swept_total"] < 10 || series["tidings_parked_total"] != len(dispatcher.ParkReasons) {
		t.Errorf("%v", series)
	}
}
