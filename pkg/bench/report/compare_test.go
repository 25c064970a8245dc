package report

import (
	"bytes"
	"strings"
	"testing"
)

func TestVariantsAreComparedByMedians(t *testing.T) {
	var r Report
	for round, latency := range []float64{1, 3, 2} {
		for _, way := range []string{"a", "b"} {
			run := Run{Scenario: "s", Title: "Some", Target: way, Variant: way, Round: round + 1, Sockets: 15_000}
			run.Load = Costs{Lasted: 10, Delivered: 1000, Events: 500, PerMessage: 20, Down: Quantiles{P50: latency, P99: latency * 10, P999: 50}}
			if way == "b" {
				run.Load.Down.P50 *= 2
				run.Memory.StackPerMore = 2048
			}
			r.Runs = append(r.Runs, run)
		}
	}
	r.Runs = append(r.Runs, Run{Scenario: "other", Target: "sluice"})
	var b bytes.Buffer
	if err := r.WriteComparisons(&b); err != nil {
		t.Fatal(err)
	}
	want := `| Some, 15,000 sockets | a | b |
|---|---:|---:|
| stacks of it | none | 2,048 B |
| loaded: messages per second | 150 | 150 |
| loaded: CPU per message | 20.0 µs | 20.0 µs |
| loaded: push to client, p50 | 2.00 ms (1.00 ms to 3.00 ms) | 4.00 ms (2.00 ms to 6.00 ms) |
| loaded: push to client, p99 | 20.0 ms (10.0 ms to 30.0 ms) | 20.0 ms (10.0 ms to 30.0 ms) |
| loaded: push to client, p99.9 | 50.0 ms | 50.0 ms |

Medians of 3 rounds, in turn; in brackets from where to where they went.
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := r.WriteHTML(&b); err != nil || !strings.Contains(b.String(), "<td>stacks of it</td><td>none</td><td>2,048 B</td>") {
		t.Errorf("%v: the page does not compare:\n%s", err, b.String())
	}
}

func TestWhatWasNotComparedHasNoTable(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteComparisons(&b); err != nil || strings.TrimSpace(b.String()) != "" {
		t.Errorf("%v: %s", err, b.String())
	}
}
