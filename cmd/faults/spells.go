package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// How long the receivers with spells are well and ill: ill for long enough that their gates open and that several probes
// fail, well for long enough that a probe comes and what was parked is let out, all of it among the other faults.
const (
	firstSpell          = 3 * time.Second // comes after at most this
	illAtLeast, illMore = 4 * time.Second, 8 * time.Second
	wellAtLeast         = 10 * time.Second
	wellMore            = 10 * time.Second
)

// Spells lets each of the receivers that have spells fall ill and heal by turns, until the context ends.
func (rs *Receivers) Spells(ctx context.Context, rng *rand.Rand) (done chan struct{}) {
	done = make(chan struct{})
	var wg sync.WaitGroup
	for i, mood := range spells {
		own := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		wg.Go(func() {
			well := time.Duration(own.Int64N(int64(firstSpell)))
			for pause(ctx, well) == nil {
				rs.spell(ctx, moody+i, mood, illAtLeast+time.Duration(own.Int64N(int64(illMore))))
				well = wellAtLeast + time.Duration(own.Int64N(int64(wellMore)))
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	return done
}

func (rs *Receivers) spell(ctx context.Context, i int, mood Mood, ill time.Duration) {
	rs.history.Spoil("spell: " + string(mood))
	s := Spell{Target: rs.URL(i), Mood: mood, From: time.Now()}
	_ = rs.SetMood(i, mood)
	_ = pause(ctx, ill)
	_ = rs.SetMood(i, Well)
	s.Healed = time.Now()
	rs.history.Ail(s)
}
