package transport

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/engineio"
)

// stripes is how many places the counts of the hot path are spread over, so
// that cores do not fight for one.
const stripes = 16

// stripe has a cache line to itself.
type stripe struct {
	in, out atomic.Int64 // packets
	backlog atomic.Int64 // bytes
	_       [40]byte
}

// Metrics counts what the transport does.
type Metrics struct {
	sessions   *prometheus.GaugeVec
	handshakes *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	closes     *prometheus.CounterVec
	upgrades   *prometheus.CounterVec
	hot        [stripes]stripe
}

// NewMetrics registers the transport's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_transport_sessions",
			Help: "Open sessions by what carries them and by Engine.IO generation.",
		}, []string{"transport", "protocol"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_transport_handshakes_total",
			Help: "Handshakes by outcome: opened, or why not.",
		}, []string{"outcome"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_transport_refusals_total",
			Help: "Requests of sessions that were refused, by reason.",
		}, []string{"error"}),
		closes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_transport_closes_total",
			Help: "Closed sessions by reason.",
		}, []string{"reason"}),
		upgrades: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_transport_upgrades_total",
			Help: "Changes from polling to WebSocket by outcome.",
		}, []string{"outcome"}),
	}
	reg.MustRegister(m.sessions, m.handshakes, m.refusals, m.closes, m.upgrades, hotCounts{m})
	return m
}

func (m *Metrics) session(c engineio.Carrier, v engineio.Version, by float64) {
	protocol := "4"
	if v == engineio.V3 {
		protocol = "3"
	}
	m.sessions.WithLabelValues(c.String(), protocol).Add(by)
}

// backlog is how many bytes wait in all.
func (m *Metrics) backlog() (n int64) {
	for i := range m.hot {
		n += m.hot[i].backlog.Load()
	}
	return n
}

// hotCounts collects the striped counts.
type hotCounts struct{ m *Metrics }

var (
	packetsDesc = prometheus.NewDesc("sluice_transport_packets_total",
		"Engine.IO packets by direction; out counts them when they are queued.", []string{"direction"}, nil)
	backlogDesc = prometheus.NewDesc("sluice_transport_backlog_bytes",
		"Bytes that wait for clients to take them.", nil, nil)
)

// Describe implements prometheus.Collector.
func (hotCounts) Describe(ch chan<- *prometheus.Desc) {
	ch <- packetsDesc
	ch <- backlogDesc
}

// Collect implements prometheus.Collector.
func (h hotCounts) Collect(ch chan<- prometheus.Metric) {
	var in, out int64
	for i := range h.m.hot {
		s := &h.m.hot[i]
		in += s.in.Load()
		out += s.out.Load()
	}
	ch <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue, float64(in), "in")
	ch <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue, float64(out), "out")
	ch <- prometheus.MustNewConstMetric(backlogDesc, prometheus.GaugeValue, float64(h.m.backlog()))
}
