package gateway

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// dropReason is why an event did not reach a socket; it is a metric label.
type dropReason string

const (
	dropClosed     dropReason = "closed"     // the socket left meanwhile
	dropSlow       dropReason = "slow"       // its backlog is full; it is being closed
	dropEncode     dropReason = "encode"     // the payload cannot be written in its wire form
	dropDecode     dropReason = "decode"     // the push cannot be read
	dropQueue      dropReason = "queue"      // ephemeral: the shard's queue is full
	dropSuperseded dropReason = "superseded" // ephemeral: a newer one of the same key came
	dropLate       dropReason = "late"       // ephemeral: no room for 250 ms
	dropOwed       dropReason = "owed"       // a Disconnect event, with Kafka away for too long
)

// accepted is the outcome of a CONNECT that was not refused.
const accepted = "accepted"

// Metrics of a gateway.
type Metrics struct {
	connects     *prometheus.CounterVec // by outcome: accepted, or why not
	accepted     prometheus.Counter     // of connects
	joinsRefused *prometheus.CounterVec // by reason
	upBy         [upEvents]prometheus.Counter
	upFailed     prometheus.Counter
	pushes       *prometheus.CounterVec // by kind: durable, ephemeral
	delivered    prometheus.Counter
	dropped      *prometheus.CounterVec // by reason
	fanOut       prometheus.Histogram
	relayed      prometheus.Counter
	relayRetries prometheus.Counter
	spreadFull   prometheus.Counter
	gaps         *prometheus.CounterVec // by reason
	badPackets   prometheus.Counter
	strayAcks    prometheus.Counter
	indexFailed  *prometheus.CounterVec // by operation
	expiries     *prometheus.CounterVec // by what was done: warned, closed
	renewals     *prometheus.CounterVec // by outcome: ok, or the reason

	revokedSockets    prometheus.Counter
	revocationUnknown prometheus.Counter
	followersRefused  *prometheus.CounterVec // by reason
	indexTime         *prometheus.HistogramVec

	byReason map[dropReason]prometheus.Counter
}

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_gateway_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_gateway_" + name, Help: help}, []string{label})
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		connects:     vec("connects_total", "Socket.IO connects by outcome.", "outcome"),
		joinsRefused: vec("joins_refused_total", "Document joins refused, by reason.", "reason"),
		upFailed:     counter("up_failed_total", "Upstream events that Kafka did not take."),
		pushes:       vec("pushes_total", "Pushes that arrived for fan-out, by kind.", "kind"),
		delivered:    counter("delivered_total", "Events handed to sockets."),
		dropped:      vec("dropped_total", "Events that did not reach a socket, by reason.", "reason"),
		relayed:      counter("relayed_total", "Durable pushes appended to the stream."),
		relayRetries: counter("relay_retries_total", "Batches appended again after an error."),
		spreadFull:   counter("spread_full_total", "Spread pushes delivered at once for want of room."),
		gaps:         vec("gaps_total", "Gaps in the broadcast that could not be filled, by reason.", "reason"),
		badPackets:   counter("bad_packets_total", "Connections closed for what they sent."),
		strayAcks:    counter("stray_acks_total", "Acknowledgements that nobody waited for."),
		expiries:     vec("expiries_total", "Connections whose identity ends, by what was done: warned, closed.", "done"),
		renewals:     vec("renewals_total", "New tokens shown on a connection, by outcome: ok, or the reason of the refusal.", "outcome"),

		revokedSockets:    counter("revoked_sockets_total", "Connections closed because their token was revoked."),
		revocationUnknown: counter("revocations_unknown_total", "Tokens of which Redis could not tell whether they were revoked."),
		followersRefused:  vec("followers_refused_total", "Requests of a session that somebody else's token came with, by reason.", "reason"),

		indexFailed: vec("index_failed_total", "Writes to the session index that failed, by operation.", "op"),
		fanOut: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_fan_out_seconds", Help: "From arrival of a push to the last write.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 3, 11),
		}),
		indexTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_gateway_index_seconds", Help: "Writes to the session index.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 3, 9),
		}, []string{"op"}),
		byReason: make(map[dropReason]prometheus.Counter),
	}
	reg.MustRegister(m.fanOut, m.indexTime)
	for _, r := range []dropReason{dropClosed, dropSlow, dropEncode, dropDecode, dropQueue, dropSuperseded, dropLate, dropOwed} {
		m.byReason[r] = m.dropped.WithLabelValues(string(r))
	}
	up := vec("up_events_total", "Upstream events handed to Kafka, by kind.", "event")
	for i, name := range upEventNames {
		m.upBy[i] = up.WithLabelValues(string(name))
	}
	// Shown from the start, so that a rate can be taken of the first one.
	m.accepted = m.connects.WithLabelValues(accepted)
	for _, e := range reason.Table() {
		if e.Connect != "" {
			m.connects.WithLabelValues(string(e.Reason))
		}
	}
	for _, kind := range []string{"durable", "ephemeral"} {
		m.pushes.WithLabelValues(kind)
	}
	return m
}

func (m *Metrics) drop(r dropReason) { m.byReason[r].Inc() }

func (m *Metrics) drops(r dropReason, n int) {
	if n > 0 {
		m.byReason[r].Add(float64(n))
	}
}

// sent counts the outcome of one Send.
func (m *Metrics) sent(err error, events int) {
	switch {
	case err == nil:
		m.delivered.Add(float64(events))
	case errors.Is(err, transport.ErrSlow):
		m.drops(dropSlow, events)
	default:
		m.drops(dropClosed, events)
	}
}

func (m *Metrics) fannedOut(d time.Duration) { m.fanOut.Observe(d.Seconds()) }
