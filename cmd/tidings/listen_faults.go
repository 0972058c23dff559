package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// faults are what listen plays instead of a good receiver.
type faults struct {
	cfg    listenCommand
	chance *chance
	mu     sync.Mutex
	count  int // of requests so far
}

func newFaults(c listenCommand) *faults { return &faults{cfg: c, chance: newChance(c.Seed)} }

// fault is what is done with one request.
type fault struct {
	Name   string // which flag, "" for none
	Status int    // 0: never answered
	Delay  time.Duration
}

// The names.
const (
	faultHang      = "hang"
	faultFail      = "fail"
	faultFailFirst = "fail-first"
	faultStatus    = "status"
)

// next says what is done with the next request. The n-th request with one seed has always the same fate.
func (f *faults) next() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	unlucky := f.cfg.Fail > 0 && f.chance.float() < f.cfg.Fail
	switch {
	case f.cfg.Hang:
		return fault{Name: faultHang}
	case f.count <= f.cfg.FailFirst:
		return fault{Name: faultFailFirst, Status: f.cfg.FailStatus, Delay: f.cfg.Delay}
	case unlucky:
		return fault{Name: faultFail, Status: f.cfg.FailStatus, Delay: f.cfg.Delay}
	case !succeeds(f.cfg.Status):
		return fault{Name: faultStatus, Status: f.cfg.Status, Delay: f.cfg.Delay}
	}
	return fault{Status: f.cfg.Status, Delay: f.cfg.Delay}
}

// wait passes the delay, or the time until the sender gives up; it reports whether somebody still wants an answer.
func (f fault) wait(ctx context.Context) bool {
	if f.Name == faultHang {
		<-ctx.Done()
		return false
	}
	return pause(ctx, f.Delay) == nil
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// asksLater reports whether an answer with this status says when to come back.
func (c listenCommand) asksLater(status int) bool {
	return c.RetryAfter != nil && status >= http.StatusMultipleChoices
}

// chance is a source of random numbers for many goroutines.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

// newChance takes a seed, or chance itself.
func newChance(seed *uint64) *chance {
	if seed == nil {
		return &chance{rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	}
	return &chance{rng: rand.New(rand.NewPCG(*seed, 0))}
}

// float is uniform in [0,1).
func (c *chance) float() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64()
}
