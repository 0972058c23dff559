package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

// hard is a load that goes as hard as it is taken, and is waited for: a way that takes changes quickly and delivers them
// late gains nothing.
type hard struct {
	writers, most int           // how many write at once, and how many changes at most
	during        time.Duration // how long at most
	first         int           // number of the first change
	arrived       int           // requests that had arrived before
	fan           int           // deliveries of one change
}

// delivered is what became of it.
type delivered struct {
	loaded
	used usage     // from the first change to the last Event
	last time.Time // arrival
}

// perSecond counts deliveries from the first change to the last arrival.
func (d delivered) perSecond(n int) float64 { return ratio(float64(n), d.last.Sub(d.Began).Seconds()) }

const (
	// hardMost bounds what is sent, whatever the machine.
	hardMost = 1_000_000
	// hardPatience bounds how long deliveries may take that are owed when the writers stop.
	hardPatience    = 90 * time.Second
	deliveredMetric = `tidings_attempts_total{outcome="delivered",reason=""}`
	// recordPatience is how long the last Events may take after the last arrival.
	recordPatience = 5 * time.Second
)

// errNotArrived ends a measurement: a way that loses something is not to be compared.
var errNotArrived = errors.New("not everything that was owed has arrived")

func (s *stand) hard(ctx context.Context, h hard, send sender) (d delivered, err error) {
	before, err := s.usage(ctx)
	if err != nil {
		return d, err
	}
	if err := s.beginProfile(); err != nil {
		return d, err
	}
	d.loaded = closedLoop(ctx, h.writers, h.most, h.during, func(ctx context.Context, seq int, due time.Time) error {
		return send(ctx, h.first+seq, due)
	})
	if err := d.fault(ctx); err != nil {
		return d, err
	}
	owed := d.Sent * h.fan
	if arrived, err := s.receivers.awaitCount(ctx, h.arrived+owed, hardPatience); err != nil || !arrived {
		return d, errors.Join(err, errNotArrived)
	}
	times, err := s.arrivalTimes(ctx)
	if err != nil {
		return d, err
	}
	d.last = time.Unix(0, times[len(times)-1])
	if err := s.endProfile(ctx); err != nil {
		return d, err
	}
	after, err := s.recorded(ctx, before, owed)
	d.used = after.since(before)
	return d, err
}

// recorded waits until Tidings has recorded what arrived, and returns what was used until then.
func (s *stand) recorded(ctx context.Context, before usage, n int) (usage, error) {
	for deadline := time.Now().Add(recordPatience); ; {
		u, err := s.usage(ctx)
		if err != nil || len(s.tidings) == 0 || int(u.since(before).Metrics[deliveredMetric]) >= n || time.Now().After(deadline) {
			return u, err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return u, err
		}
	}
}

// arrivalTimes of all requests, sorted.
func (s *stand) arrivalTimes(ctx context.Context) (times []int64, err error) {
	all, err := s.receivers.arrivals(ctx)
	for _, arrivals := range all {
		for _, a := range arrivals {
			times = append(times, a.At)
		}
	}
	slices.Sort(times)
	return times, err
}

// settleIdle is how long Tidings has after a load until it is watched doing nothing.
const settleIdle = time.Second

// idle returns what Tidings and Redis use together while nothing happens, in percent of one core. What asking costs is in it.
func (s *stand) idle(ctx context.Context, during time.Duration) (percent float64, err error) {
	if err := wait(ctx, settleIdle); err != nil {
		return 0, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := wait(ctx, during); err != nil {
		return 0, err
	}
	after, err := s.usage(ctx)
	d := after.since(before)
	return ratio(100*(d.CPU["tidings"]+d.CPU["redis"]), time.Since(began).Seconds()), err
}
