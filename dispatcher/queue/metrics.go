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
	known      *prometheus.GaugeVec
	orphaned   prometheus.Gauge
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
		known: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidings_deliveries",
			Help: "Deliveries by status, as of this process's last audit."}, []string{"status"}),
		orphaned: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_deliveries_orphaned",
			Help: "Open deliveries that nobody looks after, as of this process's last audit: always 0."}),
	}
	reg.MustRegister(m.changes, m.deliveries, m.unqueued, m.attempts, m.duration, m.inFlight, m.swept, m.known, m.orphaned)
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
	if a.Duration > 0 {
		m.duration.Observe(a.Duration.Seconds())
	}
}

func (m *Metrics) audited(a store.Audit) {
	m.known.Reset()
	for status, n := range a.ByStatus {
		m.known.WithLabelValues(string(status)).Set(float64(n))
	}
	m.orphaned.Set(float64(a.Orphaned))
}

// backlog reads the store's counts when it is scraped.
type backlog struct {
	store         *store.Store
	open, overdue *prometheus.Desc
}

// RegisterBacklog adds the counts of open and overdue deliveries. A scrape that cannot look shows none rather than 0.
func RegisterBacklog(reg prometheus.Registerer, st *store.Store) {
	reg.MustRegister(&backlog{store: st,
		open:    prometheus.NewDesc("tidings_deliveries_open", "Deliveries that are not settled.", nil, nil),
		overdue: prometheus.NewDesc("tidings_deliveries_overdue", "Open deliveries that should have moved by now.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) { ch <- b.open; ch <- b.overdue }

// Collect implements prometheus.Collector.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	open, overdue, err := b.store.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.open, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(b.open, prometheus.GaugeValue, float64(open))
	ch <- prometheus.MustNewConstMetric(b.overdue, prometheus.GaugeValue, float64(overdue))
}
