package bus

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what the package tells Prometheus. Topics and groups come from the
// configuration, so the number of series is bounded by it.
type Metrics struct {
	write      prometheus.Histogram
	wait       prometheus.Histogram
	produced   *prometheus.CounterVec // topic, outcome
	retries    prometheus.Counter
	bufRecords prometheus.Gauge
	bufBytes   prometheus.Gauge
	bufAge     prometheus.Gauge

	lag         *prometheus.GaugeVec     // topic, group
	inFlight    *prometheus.GaugeVec     // topic, group
	partitions  *prometheus.GaugeVec     // topic, group
	delay       *prometheus.HistogramVec // topic, group
	settled     *prometheus.CounterVec   // topic, group, outcome
	redelivered *prometheus.CounterVec   // topic, group, cause
	dead        *prometheus.CounterVec   // topic, group, cause
	rebalances  *prometheus.CounterVec   // topic, group
	errors      *prometheus.CounterVec   // topic, group, step
}

// NewMetrics registers the collectors with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		write: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_bus_write_seconds", Help: "Time of one write to Kafka, until all in-sync replicas have it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_bus_buffer_age_seconds", Help: "Age of records when they left the producer's buffer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		produced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_bus_produced_total", Help: "Records by how they ended: ok, full, timeout, too_large, refused.",
		}, []string{"topic", "outcome"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_bus_write_retries_total", Help: "Writes that failed and were tried again.",
		}),
		bufRecords: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_bus_buffer_records", Help: "Records that the producer holds.",
		}),
		bufBytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_bus_buffer_bytes", Help: "Bytes that the producer holds.",
		}),
		bufAge: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_bus_buffer_oldest_seconds", Help: "Age of the oldest record that the producer holds.",
		}),
	}
	m.consumerMetrics()
	reg.MustRegister(m.write, m.wait, m.produced, m.retries, m.bufRecords, m.bufBytes, m.bufAge,
		m.lag, m.inFlight, m.partitions, m.delay, m.settled, m.redelivered, m.dead, m.rebalances, m.errors)
	return m
}

func (m *Metrics) outcomesOf(topic string) *outcomes {
	return &outcomes{
		ok:       m.produced.WithLabelValues(topic, outcomeOK),
		full:     m.produced.WithLabelValues(topic, outcomeFull),
		timeout:  m.produced.WithLabelValues(topic, outcomeTimeout),
		tooLarge: m.produced.WithLabelValues(topic, outcomeTooLarge),
		refused:  m.produced.WithLabelValues(topic, outcomeRefused),
	}
}

func (m *Metrics) consumerMetrics() {
	labels := []string{"topic", "group"}
	m.lag = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_bus_consumer_lag_records", Help: "Records of the assigned partitions that are not settled.",
	}, labels)
	m.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_bus_consumer_in_flight_records", Help: "Records fetched for the handler and not settled.",
	}, labels)
	m.partitions = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_bus_consumer_partitions", Help: "Partitions that this member of the group has now.",
	}, labels)
	m.delay = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_bus_consumer_delay_seconds", Help: "Time from a record's write to its first delivery.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 18),
	}, labels)
	m.settled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_bus_consumed_total", Help: "Records by how they were settled: ack, dead, lost.",
	}, append(labels, "outcome"))
	m.redelivered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_bus_redelivered_total", Help: "Deliveries after the first, by cause: nack, timeout.",
	}, append(labels, "cause"))
	m.dead = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_bus_dead_letters_total", Help: "Records put aside, by cause: nack, timeout, headers.",
	}, append(labels, "cause"))
	m.rebalances = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_bus_rebalances_total", Help: "Assignments of partitions to this member.",
	}, labels)
	m.errors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_bus_consumer_errors_total", Help: "Failed steps of the consumer: join, fetch, commit, dead_letter, lag, ahead.",
	}, append(labels, "step"))
}

// Outcomes of a produced record, labels of sluice_bus_produced_total.
const (
	outcomeOK       = "ok"
	outcomeFull     = "full"
	outcomeTimeout  = "timeout"
	outcomeTooLarge = "too_large"
	outcomeRefused  = "refused"
)
