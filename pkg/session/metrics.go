package session

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the index does. Build one per process with NewMetrics.
type Metrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	lookups  *prometheus.CounterVec
	rebuilds *prometheus.CounterVec
	swept    prometheus.Counter
	repaired prometheus.Counter
	dirty    prometheus.Gauge

	opSeconds [ops]prometheus.Observer

	groupSize    prometheus.Histogram
	groupWaiting prometheus.Gauge
	groupRefused prometheus.Counter
}

// NewMetrics registers the collectors with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_session_op_seconds",
			Help:    "Time of one operation on the session index, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_session_failures_total",
			Help: "Operations on the session index that failed, by operation.",
		}, []string{"op"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_session_lookups_total",
			Help: "Look-ups of lists, by where the answer came from: redis, cache or flight (shared with one under way).",
		}, []string{"from"}),
		rebuilds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_session_rebuilds_total",
			Help: "Rebuilds of this replica's part of the index, by reason.",
		}, []string{"reason"}),
		swept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_session_swept_total",
			Help: "Sockets of dead replicas that this one has cleaned up.",
		}),
		repaired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_session_repaired_total",
			Help: "Sockets whose entries were put right after a failed or overtaken write.",
		}),
		dirty: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_session_dirty_sockets",
			Help: "Sockets whose entries in Redis are in doubt and wait for repair.",
		}),
	}
	for n, name := range opNames {
		m.opSeconds[n] = m.seconds.WithLabelValues(name)
	}
	m.groupSize = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "sluice_session_group_operations",
		Help:    "Operations that shared one pipeline to Redis.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 11),
	})
	m.groupWaiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_session_group_waiting",
		Help: "Operations that wait for their pipeline to Redis.",
	})
	m.groupRefused = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_session_group_refused_total",
		Help: "Operations that failed because too many were waiting.",
	})
	reg.MustRegister(m.groupSize, m.groupWaiting, m.groupRefused)
	reg.MustRegister(m.seconds, m.failures, m.lookups, m.rebuilds, m.swept, m.repaired, m.dirty)
	return m
}
