package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tidings/tidings/store"
)

// Lease is how long a claimed delivery is left to the worker that claimed it. A worker that lives renews it every
// LeaseRenewal for as long as the attempt lasts; of one that was killed it runs out, and the sweep sends again.
const (
	Lease        = 10 * time.Second
	LeaseRenewal = 3 * time.Second
)

// leases are the attempts in flight in this process.
type leases struct {
	mu   sync.Mutex
	held map[string]time.Time // delivery id -> when its lease was taken
}

func newLeases() *leases { return &leases{held: map[string]time.Time{}} }

func (l *leases) add(id string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[id] = at
}

func (l *leases) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, id)
}

// old returns the attempts that have been in flight for a renewal's time.
func (l *leases) old(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id, at := range l.held {
		if now.Sub(at) >= LeaseRenewal {
			ids = append(ids, id)
		}
	}
	return ids
}

// run renews until the context ends. A short attempt ends before it is renewed once, and costs nothing.
func (l *leases) run(ctx context.Context, st *store.Store, log *slog.Logger, now func() time.Time) {
	tick := time.NewTicker(LeaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ids := l.old(now()); len(ids) > 0 {
			if err := st.Renew(ctx, Lease, ids...); err != nil {
				log.WarnContext(ctx, "lease.renew_failed", "attempts", len(ids), "error", err)
			}
		}
	}
}
