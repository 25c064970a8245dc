package mesh

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

// fate is what became of a delivery on the caller's side; it is the label of
// sluice_mesh_deliveries_total.
type fate string

const (
	fateSent    fate = "sent"    // handed to the transport
	fateBusy    fate = "busy"    // the queue was full: the newest is dropped
	fateLate    fate = "late"    // waited for longer than Config.DeliverWithin
	fateStale   fate = "stale"   // meant for a boot that is gone
	fateLost    fate = "lost"    // the connection broke twice under it
	fateUnknown fate = "unknown" // no such replica
	fateLarge   fate = "too_large"
	fateClosed  fate = "closed" // the client was closed
)

var fates = []fate{fateSent, fateBusy, fateLate, fateStale, fateLost, fateUnknown, fateLarge, fateClosed}

// Metrics counts what the mesh does. One value serves the Server and the
// Client of a process.
type Metrics struct {
	deliveries  map[fate]prometheus.Counter
	received    *prometheus.CounterVec   // outcome: taken, dropped
	calls       *prometheus.CounterVec   // method, outcome
	seconds     *prometheus.HistogramVec // method
	refused     *prometheus.CounterVec   // reason: token, boot, stopping
	tunnels     *prometheus.GaugeVec     // side: caller, callee
	tunnelBytes *prometheus.CounterVec   // direction: up, down
	connections prometheus.Gauge
	queued      prometheus.Gauge
}

// NewMetrics registers the mesh's collectors.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "sluice", Subsystem: "mesh", Name: name, Help: help}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	deliveries := counter("deliveries_total", "Ephemeral pushes to other replicas, by what became of them.", "outcome")
	m := &Metrics{
		deliveries: make(map[fate]prometheus.Counter, len(fates)),
		received:   counter("received_total", "Ephemeral pushes from callers, taken or dropped.", "outcome"),
		calls:      counter("calls_total", "Calls to other replicas, by gRPC status.", "method", "outcome"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "mesh", Name: "call_seconds",
			Help:    "How long calls to other replicas took; a forwarded poll is as long as the poll.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method"}),
		refused:     counter("refused_total", "Calls that were refused here, by reason.", "reason"),
		tunnels:     prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("tunnels", "Open tunnels, by side.")), []string{"side"}),
		tunnelBytes: counter("tunnel_bytes_total", "Bytes that the calling side of tunnels passed on, by direction.", "direction"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts(opts("connections", "Connections to other replicas that are kept."))),
		queued:      prometheus.NewGauge(prometheus.GaugeOpts(opts("queue_bytes", "Bytes of deliveries that wait for other replicas."))),
	}
	for _, f := range fates {
		m.deliveries[f] = deliveries.WithLabelValues(string(f))
	}
	reg.MustRegister(deliveries, m.received, m.calls, m.seconds, m.refused, m.tunnels, m.tunnelBytes,
		m.connections, m.queued)
	return m
}

func (m *Metrics) delivered(f fate, n int) {
	if n > 0 {
		m.deliveries[f].Add(float64(n))
	}
}

func (m *Metrics) called(method string, seconds float64, err error) {
	m.calls.WithLabelValues(method, status.Code(err).String()).Inc()
	m.seconds.WithLabelValues(method).Observe(seconds)
}
