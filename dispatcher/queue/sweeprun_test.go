package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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
