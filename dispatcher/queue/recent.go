package queue

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

const (
	// DefaultRecentBytes bounds about how much memory a Producer takes for orders that it has written lately.
	DefaultRecentBytes = 64 << 20
	maxRecent          = 1 << 18
	// recentFor is how long an order that nobody changes is remembered. It bounds how long what was erased through
	// another process stays in the memory of this one.
	recentFor = 10 * time.Minute
)

// recent remembers orders as this process wrote them last, with the token of that write, so that the next change need not
// read them again: if anybody else has written since, its commit is refused.
//
// An order is taken out to be used and put back by the commit that changed it. So whatever goes wrong in between, and
// whatever nobody can know the outcome of, leaves nothing here.
type recent struct {
	most int
	now  func() time.Time

	mu     sync.Mutex
	orders *simplelru.LRU[dispatcher.OrderRef, remembered] // the one that was written longest ago goes first
	bytes  int
}

type remembered struct {
	state store.State
	bytes int
	at    time.Time
}

func newRecent(most int, now func() time.Time) *recent {
	r := &recent{most: most, now: now}
	var err error
	r.orders, err = simplelru.NewLRU(maxRecent, func(_ dispatcher.OrderRef, gone remembered) { r.bytes -= gone.bytes })
	if err != nil {
		panic(err) // only of a size that is not positive
	}
	return r
}

// take returns an order as it was written last, and forgets it.
func (r *recent) take(ref dispatcher.OrderRef) (store.State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetOld()
	found, ok := r.orders.Peek(ref)
	r.orders.Remove(ref)
	return found.state, ok
}

// keep remembers an order as a commit left it.
func (r *recent) keep(state store.State) {
	bytes := state.Bytes()
	if bytes > r.most {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ref := state.Order.Ref() // the state's own: that of a request holds on to all of its headers
	r.orders.Remove(ref)
	for r.bytes+bytes > r.most {
		r.orders.RemoveOldest()
	}
	r.orders.Add(ref, remembered{state, bytes, r.now()})
	r.bytes += bytes
}

// forgetOld drops what nobody has changed for long.
func (r *recent) forgetOld() {
	for {
		_, oldest, ok := r.orders.GetOldest()
		if !ok || r.now().Sub(oldest.at) < recentFor {
			return
		}
		r.orders.RemoveOldest()
	}
}

// tidy forgets what is old also while nobody asks for anything.
func (r *recent) tidy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetOld()
}

// tidyEvery is how often a Producer has old things leave memory, its own and the store's.
const tidyEvery = 30 * time.Second

func (p *Producer) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.recent.tidy()
			p.store.DropOld()
		case <-ctx.Done():
			return
		}
	}
}
