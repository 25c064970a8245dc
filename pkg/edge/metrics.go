package edge

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what happens at the client port before a session.
type Metrics struct {
	reg      prometheus.Registerer
	accepted prometheus.Counter
	refused  *prometheus.CounterVec // connections, by Verdict
	requests *prometheus.CounterVec // refused requests, by reason
	resumed  *prometheus.CounterVec // handshakes, by whether a ticket was good
}

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reg: reg,
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_edge_accepted_total", Help: "Connections of clients that were let in.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_edge_refused_total", Help: "Connections that were closed before their first request, by reason.",
		}, []string{"reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_edge_requests_refused_total", Help: "Requests refused for their form, by reason.",
		}, []string{"reason"}),
		resumed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_edge_handshakes_total", Help: "TLS handshakes that succeeded, by whether a session was resumed.",
		}, []string{"resumed"}),
	}
	reg.MustRegister(m.accepted, m.refused, m.requests, m.resumed)
	for _, v := range []Verdict{TooMany, TooFast, Full, BadHeader, SlowHeader, HandshakeBusy, NoFiles} {
		m.refused.WithLabelValues(string(v))
	}
	for _, reason := range []string{requestHeaders, requestVersion, requestBody} {
		m.requests.WithLabelValues(reason)
	}
	return m
}

// watch shows how many connections there are.
func (m *Metrics) watch(t *Table) {
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_edge_connections", Help: "Open connections of clients.",
	}, func() float64 { return float64(t.Total()) }))
}
