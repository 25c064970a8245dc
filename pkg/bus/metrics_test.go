package bus

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// gathered returns the series whose value is not zero, as "name{labels} value".
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != "topic" {
					labels = append(labels, l.GetValue())
				}
			}
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if v != 0 {
				out[strings.Join(append([]string{f.GetName()}, labels...), " ")] = v
			}
		}
	}
	return out
}

func TestMetricsCountWhatHappens(t *testing.T) {
	cfg := testConfig(embedded(t).ListenAddrs()[0])
	cfg.Partitions = 1
	cfg.Consumer.MaxAttempts = 2
	reg := prometheus.NewRegistry()
	k, err := Open(cfg, quiet, NewMetrics(reg))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.EnsureTopics(context.Background()); err != nil {
		t.Fatal(err)
	}
	p, stopProducer := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "a", 0), rec(cfg.UpTopic, "b", 0), rec(cfg.UpTopic, "c", 0))
	large := rec(cfg.UpTopic, "a", 1)
	large.Body = make([]byte, cfg.Producer.MaxRecordBytes)
	if err := p.Enqueue(large, nil); err == nil {
		t.Fatal("too large, and taken")
	}
	j := newJournal()
	c, stop := consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		switch d.Key {
		case "a":
			d.Nack(errors.New("no"))
		case "b":
			d.Ack()
		}
		j.add(d)
	})
	readAll(t, cfg.Brokers[0], cfg.UpTopic+cfg.DeadLetterSuffix, 1, 1)
	all := j.untilCount(t, 4)
	eventually(t, "a lag of one in the metrics", func() bool {
		m := gathered(t, reg)
		return m["sluice_bus_consumer_lag_records g"] == 1 && m["sluice_bus_consumer_in_flight_records g"] == 1 &&
			m["sluice_bus_consumer_partitions g"] == 1
	})
	for _, d := range all {
		d.Ack()
	}
	if c.Lag() != 0 {
		t.Errorf("lag %d", c.Lag())
	}
	stop()
	stopProducer()

	got := gathered(t, reg)
	for series, want := range map[string]float64{
		"sluice_bus_produced_total ok": 3, "sluice_bus_produced_total too_large": 1, "sluice_bus_buffer_age_seconds": 3,
		"sluice_bus_write_seconds": 3, "sluice_bus_consumed_total g ack": 2, "sluice_bus_consumed_total g dead": 1,
		"sluice_bus_redelivered_total nack g": 1, "sluice_bus_dead_letters_total nack g": 1, "sluice_bus_rebalances_total g": 1,
		"sluice_bus_consumer_delay_seconds g": 3, "sluice_bus_buffer_records": 0, "sluice_bus_buffer_bytes": 0,
		"sluice_bus_consumer_lag_records g": 0, "sluice_bus_consumer_in_flight_records g": 0,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
