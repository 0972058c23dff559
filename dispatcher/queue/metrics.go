package queue

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings/tidings/dispatcher"
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

// findings are what a sweep may find of an overdue delivery.
var findings = []string{"settled", "lost_in_flight", "parked", "waiting", "not_enqueued", "queued", "unreadable_task", "stuck_active",
	"stuck_archived", "stuck_completed", "unreadable", "gone", "unclaimed", "stranded"}

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
	for _, found := range findings { // 0 is told, so that the first of each is an increase
		m.swept.WithLabelValues(found)
	}
	for _, because := range dispatcher.ParkReasons {
		m.parked.WithLabelValues(string(because))
	}
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
