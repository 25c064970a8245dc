package stream

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the streams do. Build one per process with NewMetrics.
type Metrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	appended *prometheus.CounterVec
	received *prometheus.CounterVec
	gaps     *prometheus.CounterVec
	epochs   prometheus.Counter
	sessions *prometheus.CounterVec
	keys     *prometheus.CounterVec
}

// NewMetrics registers the collectors with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_stream_op_seconds",
			Help:    "Time of one call to Redis for the streams, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_failures_total",
			Help: "Calls to Redis for the streams that failed, by operation.",
		}, []string{"op"}),
		appended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_appended_total",
			Help: "Messages appended, by result: new, or dup for those that were there already.",
		}, []string{"result"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_received_total",
			Help: "Messages received by this process, by way: live, filled (lost by the broadcast and read from the history), dup or bad (dropped).",
		}, []string{"way"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_gaps_total",
			Help: "Gaps that could not be filled and were reported, by reason.",
		}, []string{"reason"}),
		epochs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_stream_epoch_changes_total",
			Help: "Epoch changes that this process has seen, of all shards.",
		}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_subscriptions_total",
			Help: "Subscriptions of the shard channels, by result: open or lost.",
		}, []string{"result"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_stream_reservations_total",
			Help: "Idempotency keys reserved, by the state found.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.seconds, m.failures, m.appended, m.received, m.gaps, m.epochs, m.sessions, m.keys)
	return m
}
