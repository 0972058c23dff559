package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measure loads one way on a fresh stand: first steadily, then as hard as it goes, then not at all.
func measure(ctx context.Context, cfg Config, p SpeedPlan, way string) (w Way, err error) {
	of, fan := parts{targets: speedTargets, redis: way != wayBare}, 1
	if way == wayTidings {
		of.role, fan = roleAll, p.Fanout
	}
	s, err := newStand(ctx, cfg, of)
	if err != nil {
		return w, err
	}
	defer s.close()
	send, writers, closer, err := s.way(ctx, way, fan)
	if err != nil {
		return w, err
	}
	defer closer()
	before := 0
	if way != wayBare && p.Steady > 0 {
		if before, w.Steady, err = s.steady(ctx, p, fan, send); err != nil {
			return w, err
		}
	}
	d, err := s.hard(ctx, hard{writers: writers, most: hardMost, during: p.For, first: before, arrived: before * fan, fan: fan}, send)
	if err != nil {
		return w, err
	}
	w.Delivered = d.Sent * fan
	w.PerSecond = d.perSecond(w.Delivered)
	w.Written = float64(d.Sent) / d.Ended.Sub(d.Began).Seconds()
	w.Cost = d.used.each(float64(w.Delivered))
	if way != wayTidings {
		return w, nil
	}
	w.Recorded, w.Parked = int(d.used.Metrics[deliveredMetric]), d.used.labelled("tidings_parked_total", "because")
	if w.Resident, err = s.resident(ctx); err != nil || p.Idle == 0 {
		return w, err
	}
	w.Idle, err = s.idle(ctx, p.Idle)
	return w, err
}

// way returns what sends one change by it, how many do so at once, and what ends it. A change by Tidings is told so many.
func (s *stand) way(ctx context.Context, way string, fan int) (sender, int, func(), error) {
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
	a.fan = fan
	return a.change, speedWriters, func() {}, a.register(ctx, timeout)
}

// warmSteady is how long the steady load goes before its latencies count.
const warmSteady = time.Second

func (s *stand) steady(ctx context.Context, p SpeedPlan, fan int, send sender) (n int, l Latency, err error) {
	every := time.Second / time.Duration(p.Rate)
	n = int((warmSteady + p.Steady) / every)
	load := openLoop(ctx, time.Now(), n, every, send)
	if err := load.fault(ctx); err != nil {
		return n, l, err
	}
	if arrived, err := s.receivers.awaitCount(ctx, n*fan, hardPatience); err != nil || !arrived {
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
