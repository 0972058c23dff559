package queue

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// fair decides in which of the two Asynq queues a task waits, so that merchants do not wait for one another. Up to a
// burst, and then at a steady rate, a merchant's tasks go into the queue that workers prefer; what it owes beyond that
// goes into the other, where it takes whatever capacity is left: all of it, when nobody else wants any. A single change
// thus waits behind a burst of each merchant at most, not behind a backlog. Each process decides by itself.
type fair struct {
	mu        sync.Mutex
	now       func() time.Time
	merchants map[string]*rate.Limiter
	prunedAt  time.Time
}

const (
	// fairBurst and fairRate are what a merchant may put into the preferred queue at once, and per second. They lie far
	// below what an overloaded process still delivers, so that this queue is short whatever one merchant does.
	fairBurst = 16
	fairRate  = 10
	// fairPrune is how often merchants are forgotten that have not used their burst.
	fairPrune = time.Minute
)

func newFair(now func() time.Time) *fair {
	return &fair{now: now, merchants: map[string]*rate.Limiter{}}
}

// queue returns the queue for one more task of the merchant.
func (f *fair) queue(merchant string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.prunedAt) > fairPrune {
		for name, l := range f.merchants {
			if l.TokensAt(now) >= fairBurst {
				delete(f.merchants, name)
			}
		}
		f.prunedAt = now
	}
	l := f.merchants[merchant]
	if l == nil {
		l = rate.NewLimiter(fairRate, fairBurst)
		f.merchants[merchant] = l
	}
	if l.AllowN(now, 1) {
		return Name
	}
	return BulkName
}
