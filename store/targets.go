package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Target is what is known of one target: how deliveries pass to it, who waits, and what its last attempts told.
type Target struct {
	Name         string
	Gate         dispatcher.Gate
	Crowd        Crowd
	OldestParked time.Time // zero: none
	InFlight     int       // as the workers reported last
	Stats        TargetStats
}

// Targets returns every target that has a gate that is not just closed, or to which anything was sent in the last minutes.
func (s *Store) Targets(ctx context.Context) ([]Target, error) {
	gates, _, err := s.Gates(ctx)
	if err != nil {
		return nil, err
	}
	seen, inFlight, err := s.TargetsSeen(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range gates {
		names[name] = true
	}
	for name := range seen {
		names[name] = true
	}
	for name := range inFlight {
		names[name] = true
	}
	gated := slices.Sorted(maps.Keys(gates))
	crowds, oldest, err := s.Parked(ctx, gated)
	if err != nil {
		return nil, err
	}
	targets := make([]Target, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		t := Target{Name: name, Gate: gates[name], InFlight: inFlight[name], Stats: seen[name]}
		if t.Gate.State == "" {
			t.Gate.State = dispatcher.GateClosed
		}
		if i, found := slices.BinarySearch(gated, name); found {
			t.Crowd, t.OldestParked = crowds[i], oldest[i]
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// Parked counts who waits at several gates and tells since when the first of each line does.
func (s *Store) Parked(ctx context.Context, targets []string) (crowds []Crowd, since []time.Time, err error) {
	if crowds, err = s.Crowds(ctx, targets); err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, c := range crowds {
		if c.First != "" {
			ids = append(ids, c.First)
		}
	}
	held, err := s.Read(ctx, ids...)
	var unreadable *UnreadableError
	if err != nil && !errors.As(err, &unreadable) {
		return nil, nil, err
	}
	parkedAt := map[string]time.Time{}
	for _, h := range held {
		parkedAt[h.ID] = h.ParkedAt
	}
	since = make([]time.Time, len(targets))
	for i, c := range crowds {
		since[i] = parkedAt[c.First]
	}
	return crowds, since, nil
}
