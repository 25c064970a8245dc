package app

import (
	"errors"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// collectorCPU is what there was, what the garbage collector has used of it, and
// of that what nobody else wanted: the usual metrics of Go tell its pauses, which
// say little of it.
var collectorCPU = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/((gc/)?total|gc/mark/idle):cpu-seconds$`)}

// tellCollector adds it to the metrics of Go in a registry.
func tellCollector(reg prometheus.Registerer) error {
	usual := collectors.NewGoCollector()
	more := collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectorCPU))
	reg.Unregister(usual)
	var known prometheus.AlreadyRegisteredError
	if err := reg.Register(more); err != nil && !errors.As(err, &known) {
		return err
	}
	return nil
}
