package queue

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// backlog reads the store's counts when it is scraped, and the last audit, whoever made it.
type backlog struct {
	store                                      *store.Store
	open, overdue, byStatus, orphaned, audited *prometheus.Desc
	parked, oldestParked, gates                *prometheus.Desc
}

// auditedStatuses are told, those that no delivery has as 0.
var auditedStatuses = []dispatcher.Status{
	dispatcher.StatusPending, dispatcher.StatusWaiting, dispatcher.StatusParked, dispatcher.StatusRetrying, dispatcher.StatusDelivered,
	dispatcher.StatusFailed, dispatcher.StatusCancelled, dispatcher.StatusSuperseded, dispatcher.StatusExpired,
}

// RegisterBacklog adds the counts of open and overdue deliveries and those of the last audit. A scrape that cannot look,
// or comes before the first audit, shows none rather than 0.
func RegisterBacklog(reg prometheus.Registerer, st *store.Store) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	reg.MustRegister(&backlog{store: st,
		open:         desc("tidings_deliveries_open", "Deliveries that are not settled."),
		overdue:      desc("tidings_deliveries_overdue", "Open deliveries that should have moved by now."),
		byStatus:     desc("tidings_deliveries", "Deliveries by status, as of the last audit.", "status"),
		orphaned:     desc("tidings_deliveries_orphaned", "Open deliveries that nobody looks after, as of the last audit: always 0."),
		audited:      desc("tidings_audit_timestamp_seconds", "When the last audit was made, in seconds since 1970."),
		parked:       desc("tidings_deliveries_parked", "Deliveries that wait for their target."),
		oldestParked: desc("tidings_parked_oldest_seconds", "For how long the first of them has waited."),
		gates:        desc("tidings_targets", "Targets whose gate is not just closed, by state.", "state"),
	})
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.open, b.overdue, b.byStatus, b.orphaned, b.audited, b.parked, b.oldestParked, b.gates} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	open, overdue, err := b.store.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.open, err)
		return
	}
	gauge(b.open, float64(open))
	gauge(b.overdue, float64(overdue))
	b.collectGates(ctx, ch, gauge)
	a, made, err := b.store.LastAudit(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.orphaned, err)
		return
	}
	if !made {
		return
	}
	gauge(b.orphaned, float64(a.Orphaned))
	gauge(b.audited, float64(a.At.Unix()))
	for _, status := range auditedStatuses {
		gauge(b.byStatus, float64(a.ByStatus[status]), string(status))
	}
}

func (b *backlog) collectGates(ctx context.Context, ch chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string)) {
	gates, _, err := b.store.Gates(ctx)
	var crowds []store.Crowd
	var since []time.Time
	if err == nil {
		crowds, since, err = b.store.Parked(ctx, slices.Collect(maps.Keys(gates)))
	}
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.parked, err)
		return
	}
	states := map[dispatcher.GateState]int{dispatcher.GateBusy: 0, dispatcher.GateOpen: 0, dispatcher.GateRecovering: 0}
	for _, g := range gates {
		states[g.State]++
	}
	for state, n := range states {
		gauge(b.gates, float64(n), string(state))
	}
	var parked int64
	var oldest time.Duration
	for i, c := range crowds {
		parked += c.Parked
		if !since[i].IsZero() {
			oldest = max(oldest, time.Since(since[i]))
		}
	}
	gauge(b.parked, float64(parked))
	gauge(b.oldestParked, oldest.Seconds())
}
