package bench

import (
	"context"
	"errors"
	"time"
)

const (
	// drainWindow is how long the drain of a long backlog is watched, from the first arrival on.
	drainWindow = time.Minute
	// firstArrival is how long workers may take until something arrives.
	firstArrival = 30 * time.Second
	// drainPart is what of a drain its rate is taken of: not its beginning, while processes start, nor its end, when few
	// lanes are left.
	drainPart = 0.8
)

// backlog writes at open deliveries while no worker runs, and lets one drain them.
func (p GrowthPlan) backlog(ctx context.Context, cfg Config, at int) (Point, error) {
	return drain(ctx, cfg, at, 1)
}

// workers lets at processes drain a backlog.
func (p GrowthPlan) workers(ctx context.Context, cfg Config, at int) (Point, error) {
	return drain(ctx, cfg, p.Deliveries, at)
}

// drain returns what an open delivery takes up in Redis, the rate, and what draining costs. The cost is counted from the
// first arrivals on, without the start of the processes.
func drain(ctx context.Context, cfg Config, open, workers int) (Point, error) {
	s, err := newStand(ctx, cfg, parts{targets: speedTargets, redis: true, role: roleAPI})
	if err != nil {
		return Point{}, err
	}
	defer s.close()
	held, err := s.pile(ctx, open)
	if err != nil {
		return Point{}, err
	}
	started := make(chan error, 1)
	starting, stop := context.WithCancel(ctx)
	defer func() { // before the stand is closed
		stop()
		for range started {
		}
	}()
	go func() { started <- s.openTidings(starting, cfg, roleWorker, workers); close(started) }()
	if arrived, err := s.receivers.awaitCount(ctx, 1, firstArrival); err != nil || !arrived {
		return Point{}, errors.Join(err, errNotArrived)
	}
	if err := <-started; err != nil {
		return Point{}, err
	}
	before, err := s.receivers.number(ctx, "/count")
	if err != nil {
		return Point{}, err
	}
	used, err := s.usage(ctx)
	if err != nil {
		return Point{}, err
	}
	complete, err := s.receivers.awaitCount(ctx, open, drainWindow)
	if err != nil {
		return Point{}, err
	}
	after, err := s.usage(ctx)
	if err != nil {
		return Point{}, err
	}
	times, err := s.arrivalTimes(ctx)
	point := Point{Cost: after.since(used).each(float64(len(times)) - before), PerSecond: middleRate(times, drainPart),
		Resident: after.Metrics[residentMetric], Complete: complete}
	point.Memory = held / float64(open)
	return point, err
}

// pile makes open deliveries, and returns the bytes of Redis that they take.
func (s *stand) pile(ctx context.Context, open int) (held float64, err error) {
	orders := max(open/perLane/speedTargets, 1) * speedTargets
	a, err := s.grower(ctx, orders, 1, usualOrder)
	if err != nil {
		return 0, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return 0, err
	}
	load := closedLoop(ctx, writersFor(orders), open, growthAtMost, a.change)
	if err := load.fault(ctx); err != nil {
		return 0, err
	}
	if load.Sent < open {
		return 0, errors.New("it took too long to write the backlog")
	}
	after, err := s.usage(ctx)
	return after.Memory - before.Memory, err
}

// middleRate is the rate over the part in the middle of sorted times (ns).
func middleRate(times []int64, part float64) float64 {
	n := len(times)
	from, to := int(float64(n)*(1-part)/2), n-1-int(float64(n)*(1-part)/2)
	if to <= from {
		return 0
	}
	return ratio(float64(to-from), time.Duration(times[to]-times[from]).Seconds())
}
