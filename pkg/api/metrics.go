package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the service does. Labels are methods, codes, typed reasons
// and names of configured components, nothing that a caller chooses.
type Metrics struct {
	calls    *prometheus.CounterVec   // component, method, code
	seconds  *prometheus.HistogramVec // method
	refused  *prometheus.CounterVec   // component, reason
	pushes   *prometheus.CounterVec   // component, delivery
	records  *prometheus.CounterVec   // outcome
	dropped  *prometheus.CounterVec   // reason
	upstream *prometheus.CounterVec   // component, what
	streams  *prometheus.GaugeVec     // component
	pending  *prometheus.GaugeVec     // component
	keysLost prometheus.Counter
}

// Why an ephemeral push did not leave for a replica, or for anybody.
type dropReason string

const (
	dropNobody  dropReason = "nobody" // no socket of the target is connected
	dropBusy    dropReason = "busy"   // the queue to the replica is full
	dropGone    dropReason = "gone"   // the replica is gone
	dropFailed  dropReason = "failed" // anything else
	dropUnknown dropReason = "lookup" // the session index did not answer
)

// What happened to an upstream event on its way to a component.
type upstreamStep string

const (
	upSkipped   upstreamStep = "skipped"   // not selected by the component's entry
	upDelivered upstreamStep = "delivered" // sent on a stream, every attempt counts
	upAcked     upstreamStep = "acked"
	upNacked    upstreamStep = "nacked"
	upTimeout   upstreamStep = "timeout"   // no ack in time
	upReturned  upstreamStep = "returned"  // its stream ended first
	upDuplicate upstreamStep = "duplicate" // had been acked before
	upGivenUp   upstreamStep = "given_up"  // left to the dead-letter topic
	upLost      upstreamStep = "lost"      // its partition went to another process
	upUnknown   upstreamStep = "unknown"   // an ack for nothing
	upBroken    upstreamStep = "broken"    // a body that cannot be read
)

// NewMetrics registers the collectors with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		reg.MustRegister(g)
		return g
	}
	m := &Metrics{
		calls: counter("sluice_api_calls_total", "Calls by component, method and gRPC code.",
			"component", "method", "code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_api_call_seconds", Help: "Time that unary calls took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3, 10, 30},
		}, []string{"method"}),
		refused: counter("sluice_api_refused_total", "Calls that were refused or failed, by reason.",
			"component", "reason"),
		pushes: counter("sluice_api_pushes_total", "Pushes that were accepted.", "component", "delivery"),
		records: counter("sluice_api_records_total", "Kafka records of durable pushes by outcome.",
			"outcome"),
		dropped: counter("sluice_api_dropped_total", "Ephemeral deliveries that were dropped, by reason.",
			"reason"),
		upstream: counter("sluice_api_upstream_total", "Upstream events by what happened to them.",
			"component", "step"),
		streams: gauge("sluice_api_subscriptions", "Open Subscribe streams.", "component"),
		pending: gauge("sluice_api_upstream_pending", "Upstream events in memory.", "component"),
		keysLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_api_keys_unmarked_total",
			Help: "Accepted pushes whose idempotency key could not be marked as done.",
		}),
	}
	reg.MustRegister(m.seconds, m.keysLost)
	return m
}

func (m *Metrics) drop(reason dropReason) { m.dropped.WithLabelValues(string(reason)).Inc() }

func (m *Metrics) call(component, method, code string, took time.Duration) {
	m.calls.WithLabelValues(component, method, code).Inc()
	if took >= 0 {
		m.seconds.WithLabelValues(method).Observe(took.Seconds())
	}
}
