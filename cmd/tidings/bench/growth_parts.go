package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	growthTimeout = 10 * time.Second // of an attempt
	growthAtMost  = 20 * time.Minute // that anything is written
	perLane       = 5                // changes of each order
	mostBodies    = 100 << 20        // bytes of all bodies of a step
)

// ordersFor so many changes: each is changed a few times, and each target has as many.
func ordersFor(changes int) int {
	return max(min(changes/perLane, speedOrders)/speedTargets, 1) * speedTargets
}

// writersFor so many orders: were more writing, changes of an order would overtake each other, and one that says what the order
// says already owes nothing.
func writersFor(orders int) int { return min(speedWriters, orders) }

// grower makes the orders of one step.
func (s *stand) grower(ctx context.Context, orders, fan int, filling string) (*adapter, error) {
	a := s.adapter("o", orders, func(order int) string { return s.receivers.url(order % speedTargets) },
		func(order int) string { return fmt.Sprintf("m%d", order%speedTargets) })
	a.fan, a.filling = fan, filling
	return a, a.register(ctx, growthTimeout)
}

// ingest writes changes to a process that only takes them; at is how many write at once.
func (p GrowthPlan) ingest(ctx context.Context, cfg Config, at int) (Point, error) {
	s, err := newStand(ctx, cfg, parts{targets: speedTargets, redis: true, role: roleAPI})
	if err != nil {
		return Point{}, err
	}
	defer s.close()
	a, err := s.grower(ctx, ordersFor(p.Deliveries), 1, usualOrder)
	if err != nil {
		return Point{}, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return Point{}, err
	}
	load := closedLoop(ctx, at, p.Deliveries, growthAtMost, a.change)
	if err := load.fault(ctx); err != nil {
		return Point{}, err
	}
	after, err := s.usage(ctx)
	return Point{
		Cost: after.since(before).each(float64(load.Sent)), PerSecond: ratio(float64(load.Sent), load.Ended.Sub(load.Began).Seconds()),
		Answer: load.Answer, Resident: after.Metrics[residentMetric], Complete: true,
	}, err
}

// fanOut makes every change owe at deliveries.
func (p GrowthPlan) fanOut(ctx context.Context, cfg Config, at int) (Point, error) {
	return p.whole(ctx, cfg, p.Deliveries/at, at, usualOrder)
}

// size makes every order have at bytes.
func (p GrowthPlan) size(ctx context.Context, cfg Config, at int) (Point, error) {
	return p.whole(ctx, cfg, min(p.Deliveries, mostBodies/at), 1, fillingOf(at))
}

// whole goes from the PUT to the Event.
func (p GrowthPlan) whole(ctx context.Context, cfg Config, changes, fan int, filling string) (Point, error) {
	s, err := newStand(ctx, cfg, parts{targets: speedTargets, redis: true, role: roleAll})
	if err != nil {
		return Point{}, err
	}
	defer s.close()
	orders := ordersFor(changes)
	a, err := s.grower(ctx, orders, fan, filling)
	if err != nil {
		return Point{}, err
	}
	d, err := s.hard(ctx, hard{writers: writersFor(orders), most: changes, during: growthAtMost, fan: fan}, a.change)
	if err != nil {
		return Point{}, err
	}
	owed := d.Sent * fan
	point := Point{Cost: d.used.each(float64(owed)), PerSecond: d.perSecond(owed), Answer: d.Answer, Complete: true}
	point.Resident, err = s.resident(ctx)
	return point, err
}
