package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/tidings/tidings/store/embedded"
)

// Spoiler makes faults at random instants.
type Spoiler struct {
	fleet     *Fleet
	receivers *Receivers
	history   *History
	log       *slog.Logger
	rng       *rand.Rand
	every     time.Duration
	only      string // the name of the one kind of fault to make; "" for all
}

// Run makes faults until the context ends.
func (s *Spoiler) Run(ctx context.Context) {
	kinds := []struct {
		name   string
		weight int
		do     func(context.Context)
	}{
		{"kill worker", 5, func(ctx context.Context) { s.kill(ctx, "kill worker", s.pick(s.fleet.workers), syscall.SIGKILL) }},
		{"kill api", 3, func(ctx context.Context) { s.kill(ctx, "kill api", s.pick(s.fleet.apis), syscall.SIGKILL) }},
		{"stop worker", 2, func(ctx context.Context) { s.kill(ctx, "stop worker", s.pick(s.fleet.workers), syscall.SIGTERM) }},
		{"stop api", 1, func(ctx context.Context) { s.kill(ctx, "stop api", s.pick(s.fleet.apis), syscall.SIGTERM) }},
		{"kill redis", 1, s.killRedis},
		{"cut connections", 2, s.cut},
		{"flush asynq", 1, func(ctx context.Context) { s.flushAsynq(ctx, "flush asynq", 1) }},
		{"lose half of asynq", 1, func(ctx context.Context) { s.flushAsynq(ctx, "lose half of asynq", 0.5) }},
		{"mood", 5, s.mood},
	}
	total := 0
	for i, k := range kinds {
		if s.only != "" && s.only != k.name {
			kinds[i].weight = 0
		}
		total += kinds[i].weight
	}
	if total == 0 {
		s.log.Error("no such fault", "kind", s.only)
		return
	}
	for pause(ctx, time.Duration(s.rng.ExpFloat64()*float64(s.every))) == nil {
		toss := s.rng.IntN(total)
		for _, k := range kinds {
			if toss -= k.weight; toss < 0 {
				s.log.Info("fault", "kind", k.name)
				k.do(ctx)
				break
			}
		}
	}
}

func (s *Spoiler) pick(all []*process) *process { return all[s.rng.IntN(len(all))] }

// kill ends a process and starts it again after a random time. After SIGTERM it is given the time that it needs.
func (s *Spoiler) kill(ctx context.Context, kind string, p *process, signal syscall.Signal) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.history.Spoil(kind)
	p.signal(signal)
	<-p.done
	_ = pause(ctx, time.Duration(s.rng.Int64N(int64(500*time.Millisecond))))
	if err := s.fleet.start(p); err != nil {
		s.log.Error("start again", "process", p.name, "error", err)
	}
}

func (s *Spoiler) killRedis(ctx context.Context) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.history.Spoil("kill redis")
	if err := s.fleet.redis.Kill(); err != nil {
		s.log.Error("kill redis", "error", err)
		return
	}
	_ = pause(ctx, time.Duration(s.rng.Int64N(int64(3*time.Second))))
	again, err := embedded.Start(context.WithoutCancel(ctx), s.fleet.redis.Config())
	if err != nil {
		s.log.Error("start redis again", "error", err)
		return
	}
	s.fleet.redis = again
}

// cut breaks every connection to Redis; what was on its way is lost.
func (s *Spoiler) cut(ctx context.Context) {
	s.history.Spoil("cut connections")
	for _, kind := range []string{"normal", "pubsub"} {
		_ = s.fleet.rdb.Do(ctx, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err()
	}
}

// flushAsynq loses that share of what Asynq keeps, key by key; of what is enqueued between listing and deleting them, a part.
func (s *Spoiler) flushAsynq(ctx context.Context, kind string, share float64) {
	s.history.Spoil(kind)
	keys, err := s.fleet.rdb.Keys(ctx, "asynq:*").Result()
	keys = slices.DeleteFunc(keys, func(string) bool { return s.rng.Float64() >= share })
	if err == nil && len(keys) > 0 {
		_ = s.fleet.rdb.Del(ctx, keys...).Err()
	}
}

// mood changes how a receiver behaves, for better or worse.
func (s *Spoiler) mood(context.Context) {
	mood := Well
	if s.rng.Float64() < 0.6 {
		mood = moods[s.rng.IntN(len(moods))]
	}
	s.history.Spoil("receiver " + string(mood))
	if err := s.receivers.SetMood(s.rng.IntN(moody), mood); err != nil {
		s.log.Error("mood", "error", err)
	}
}
