package replica

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the collectors of the package.
type Metrics struct {
	number  prometheus.Gauge
	lease   prometheus.Gauge
	members *prometheus.GaugeVec
	calls   *prometheus.HistogramVec
}

// NewMetrics builds the collectors and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		number: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_replica_number",
			Help: "Replica number of this process, -1 before it has one.",
		}),
		lease: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_replica_lease_seconds",
			Help: "Time for which ids can still be minted without the database.",
		}),
		members: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_replica_members",
			Help: "Living processes by state, as last seen.",
		}, []string{"state"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_replica_call_seconds",
			Help:    "Time of exchanges with the database by operation and result.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"op", "result"}),
	}
	m.number.Set(-1)
	reg.MustRegister(m.number, m.lease, m.members, m.calls)
	return m
}
