package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measure loads one way on a fresh stand: first steadily, then as hard as it goes.
func measure(ctx context.Context, cfg Config, p SpeedPlan, way string) (w Way, err error) {
	s, err := newStand(ctx, cfg, parts{targets: speedTargets, redis: way != wayBare, tidings: way == wayTidings})
	if err != nil {
		return w, err
	}
	defer s.close()
	send, writers, closer, err := s.way(ctx, way)
	if err != nil {
		return w, err
	}
	defer closer()
	before := 0
	if way != wayBare && p.Steady > 0 {
		if before, w.Steady, err = s.steady(ctx, p, send); err != nil {
			return w, err
		}
	}
	return w, s.hard(ctx, p, &w, before, writers, send)
}

// way returns what sends one change by it, how many do so at once, and what ends it.
func (s *stand) way(ctx context.Context, way string) (sender, int, func(), error) {
	url := func(order int) string { return s.receivers.url(order % speedTargets) }
	const timeout = 10 * time.Second
	switch way {
	case wayBare:
		out := newOutbound()
		return func(ctx context.Context, seq int, due time.Time) error {
			return post(ctx, out, url(seq), document(seq, due), timeout)
		}, tidingsConcurrency, out.Close, nil
	case wayAsynq:
		send, closer, err := plainAsynq(s, plainConfig{Servers: asynqServers, Concurrency: tidingsConcurrency, Timeout: timeout}, url)
		return send, speedWriters, closer, err
	}
	a := s.adapter("o", speedOrders, url, func(order int) string { return fmt.Sprintf("m%d", order%speedTargets) })
	return a.change, speedWriters, func() {}, a.register(ctx, timeout)
}

// warmSteady is how long the steady load goes before its latencies count.
const warmSteady = time.Second

func (s *stand) steady(ctx context.Context, p SpeedPlan, send sender) (n int, l Latency, err error) {
	every := time.Second / time.Duration(p.Rate)
	n = int((warmSteady + p.Steady) / every)
	load := openLoop(ctx, time.Now(), n, every, send)
	if err := load.fault(ctx); err != nil {
		return n, l, err
	}
	if arrived, err := s.receivers.awaitCount(ctx, n, drainSpeed); err != nil || !arrived {
		return n, l, errors.Join(err, errNotArrived)
	}
	all, err := s.receivers.arrivals(ctx)
	if err != nil {
		return n, l, err
	}
	var took []time.Duration
	for _, arrivals := range all {
		for _, a := range arrivals {
			if a.Due >= load.Began.Add(warmSteady).UnixNano() {
				took = append(took, time.Duration(a.At-a.Due))
			}
		}
	}
	return n, Summarise(took), nil
}

// hard loads as hard as it goes, waits until all has arrived, and counts from the first change to the last arrival: a way
// that takes changes quickly and delivers them late gains nothing.
func (s *stand) hard(ctx context.Context, p SpeedPlan, w *Way, before, writers int, send sender) error {
	used, err := s.usage(ctx)
	if err != nil {
		return err
	}
	if err := s.beginProfile(); err != nil {
		return err
	}
	load := closedLoop(ctx, writers, hardMost, p.For, func(ctx context.Context, seq int, due time.Time) error {
		return send(ctx, before+seq, due)
	})
	if err := load.fault(ctx); err != nil {
		return err
	}
	if arrived, err := s.receivers.awaitCount(ctx, before+load.Sent, drainSpeed); err != nil || !arrived {
		return errors.Join(err, errNotArrived)
	}
	last, err := s.lastArrival(ctx)
	if err != nil {
		return err
	}
	if err := s.endProfile(ctx); err != nil {
		return err
	}
	after, err := s.recorded(ctx, used, load.Sent)
	if err != nil {
		return err
	}
	d, n := after.since(used), float64(load.Sent)
	w.Delivered, w.PerSecond = load.Sent, n/last.Sub(load.Began).Seconds()
	w.Written = n / load.Ended.Sub(load.Began).Seconds()
	w.Recorded = int(d.Metrics[deliveredMetric])
	w.Parked = d.labelled("tidings_parked_total", "because")
	w.Commands, w.Bytes, w.Memory = d.Commands/n, d.Bytes/n, d.Memory/n
	w.CPU = map[string]float64{}
	for process, seconds := range d.CPU {
		w.CPU[process] = 1000 * seconds / n
		w.CPU["all"] += 1000 * seconds / n
	}
	return nil
}

const (
	// hardMost bounds what is sent, whatever the machine.
	hardMost        = 1_000_000
	deliveredMetric = `tidings_attempts_total{outcome="delivered",reason=""}`
	// recordPatience is how long the last Events may take after the last arrival.
	recordPatience = 5 * time.Second
)

// errNotArrived ends a measurement: a way that loses something is not to be compared.
var errNotArrived = errors.New("not everything that was owed has arrived")

// recorded waits until Tidings has recorded what arrived, and returns what was used until then.
func (s *stand) recorded(ctx context.Context, before usage, n int) (usage, error) {
	for deadline := time.Now().Add(recordPatience); ; {
		u, err := s.usage(ctx)
		if err != nil || s.tidings == nil || int(u.since(before).Metrics[deliveredMetric]) >= n || time.Now().After(deadline) {
			return u, err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return u, err
		}
	}
}

func (s *stand) lastArrival(ctx context.Context) (time.Time, error) {
	all, err := s.receivers.arrivals(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var last int64
	for _, arrivals := range all {
		for _, a := range arrivals {
			last = max(last, a.At)
		}
	}
	return time.Unix(0, last), nil
}
