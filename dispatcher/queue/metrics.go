package queue

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Metrics of both ends of the queue, as Prometheus collects them.
type Metrics struct {
	changes    prometheus.Counter
	deliveries prometheus.Counter
	unqueued   prometheus.Counter
	attempts   *prometheus.CounterVec
	duration   prometheus.Histogram
	inFlight   prometheus.Gauge
	swept      *prometheus.CounterVec
	parked     *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		changes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_changes_total", Help: "Accepted changes of orders."}),
		deliveries: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_deliveries_total", Help: "Deliveries owed by accepted changes."}),
		unqueued: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_enqueue_failures_total",
			Help: "Deliveries that could not be enqueued and were left to the sweep."}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidings_attempts_total",
			Help: "Recorded attempts by outcome and reason."}, []string{"outcome", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tidings_attempt_seconds",
			Help: "Time from dialling to the end of the answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12)}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_attempts_in_flight", Help: "Attempts in flight in this process."}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidings_swept_total",
			Help: "Overdue deliveries that the sweep looked after, by what it found."}, []string{"found"}),
	}
	m.parked = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidings_parked_total",
		Help: "Deliveries that were parked before their target, by why."}, []string{"because"})
	reg.MustRegister(m.changes, m.deliveries, m.unqueued, m.attempts, m.duration, m.inFlight, m.swept, m.parked)
	return m
}

func (m *Metrics) committed(deliveries int, change bool) {
	if change {
		m.changes.Inc()
	}
	m.deliveries.Add(float64(deliveries))
}

func (m *Metrics) enqueueFailed() { m.unqueued.Inc() }

func (m *Metrics) attempted(a dispatcher.Attempt) {
	m.attempts.WithLabelValues(string(a.Outcome), string(a.Reason)).Inc()
	if a.Duration > 0 && a.Reason != dispatcher.ReasonInterrupted {
		m.duration.Observe(a.Duration.Seconds())
	}
}

// backlog reads the store's counts when it is scraped, and the last audit, whoever made it.
type backlog struct {
	store                                      *store.Store
	open, overdue, byStatus, orphaned, audited *prometheus.Desc
}

// RegisterBacklog adds the counts of open and overdue deliveries and those of the last audit. A scrape that cannot look,
// or comes before the first audit, shows none rather than 0.
func RegisterBacklog(reg prometheus.Registerer, st *store.Store) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	reg.MustRegister(&backlog{store: st,
		open:     desc("tidings_deliveries_open", "Deliveries that are not settled."),
		overdue:  desc("tidings_deliveries_overdue", "Open deliveries that should have moved by now."),
		byStatus: desc("tidings_deliveries", "Deliveries by status, as of the last audit.", "status"),
		orphaned: desc("tidings_deliveries_orphaned", "Open deliveries that nobody looks after, as of the last audit: always 0."),
		audited:  desc("tidings_audit_timestamp_seconds", "When the last audit was made, in seconds since 1970."),
	})
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.open, b.overdue, b.byStatus, b.orphaned, b.audited} {
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
	for status, n := range a.ByStatus {
		gauge(b.byStatus, float64(n), string(status))
	}
}
