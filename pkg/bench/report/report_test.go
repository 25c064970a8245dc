package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/tally"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a report with everything in it.
func sample() *Report {
	q := func(p50 float64) Quantiles {
		return Quantiles{Count: 100, P50: p50, P90: p50 * 2, P99: p50 * 5, P999: p50 * 9, Max: p50 * 10}
	}
	run := Run{
		Scenario: "s4", Title: "Push & <more>", About: "What it shows.", Target: "sluice",
		Scale:   []string{"Scaled: 2,000 sockets, 500,000 in the scenario (1 to 250)."},
		Sockets: 2000, Seconds: 60.2,
		Connect: Connect{Seconds: .8, Rate: 2500, Peak: 2600, Time: q(20), Failures: map[string]uint64{"timeout": 2, "http_503": 1}},
		Memory: Memory{Before: 60e6, Idle: 75e6, Peak: 91e6, After: 80e6, PerSocket: 7500, FirstSockets: 200, PerMore: 5000, HeapPerMore: 3000, StackPerMore: 10, Goroutines: 90, Kernel: &Kernel{
			PerEnd: 4080, Caches: map[string]float64{"TCP": 2520, "filp": 188}, Ends: 4003, Both: true, From: "slab caches",
		}},
		Light:        Costs{Seconds: 5, Lasted: 4, Delivered: 90, Cores: .1, PerMessage: 50, Down: q(1), Roundtrip: q(2)},
		Load:         Costs{Seconds: 62, Lasted: 60.2, Delivered: 23_990, Cores: .55, PerMessage: 43.21, GC: .012, Down: q(1.5)},
		Faults:       []Fault{{What: "doubled", Client: 7, Message: 3, At: 1.25}, {What: "lost", Client: 1999, Message: 12, Document: "bench-4", At: 58}},
		Notes:        []string{"Something has to be known."},
		Extrapolated: []Extrapolation{{What: "memory", Sockets: 500_000, Value: 2.5, Unit: "GB", From: "what was measured"}},
		CPU:          CPU{PerConnect: 151.2, PerDelivery: 43.21, Idle: .01, Load: .55, GC: .012},
		Messages: Messages{
			Pushed: 12, Delivered: 23_990, Rate: 398.6, Peak: 2000, Latency: q(1.5), Duplicates: 3,
			Balance: tally.Balance{Expected: 23_000, Lost: 5, Open: 990}, Ephemeral: true,
		},
		Receipts: Upward{Sent: 23_990, Received: 23_989, Lost: 1, Time: q(12)},
		Coming:   Coming{Left: 9_600, Connects: 11_600, Drops: map[string]uint64{"reset": 4}, Recovery: 1.25},
		Clients:  Clients{Workers: 1, BytesPerClient: 812, PerMessage: 21, Cores: .31},
		Servers: []Process{
			{Name: "gateway 1", PID: 42, Counted: true, Before: 60e6, Idle: 75e6, Peak: 91e6, After: 80e6, CPU: 33, Metrics: map[string]float64{`sluice_x_total{reason="<a>"}`: 7, `sluice_transport_closes_total{reason="slow",service="x"}`: 3}},
			{Name: "gateway 2", Metrics: map[string]float64{`sluice_transport_closes_total{reason="slow"}`: 2, `sluice_transport_closes_total{reason="drain"}`: 1}},
			{Name: "api", PID: 43},
		},
	}
	for i := range 6 {
		at := float64(i)
		p := Point{At: at, Up: 2000 * min(i, 1), Connects: 2600 - 400*at, Resident: int64(60e6 + 5e6*at), Cores: .1 * at, Clients: .05 * at}
		if i%2 == 1 {
			p.Delivered, p.Received, p.Latency, p.PerMessage = 2000, 2000, q(at), 40+at
		}
		run.Series = append(run.Series, p)
	}
	other := Run{Scenario: "s4", Title: run.Title, Target: "stock", Sockets: 2000, Connect: Connect{Rate: 900, Peak: 1000, Time: q(40)}, Problems: []string{"5 of 23,000 messages were lost"}}
	idle := Run{Scenario: "s1", Title: "Connect", Target: "sluice", Sockets: 30_000, Connect: Connect{Rate: 4000, Peak: 5000}, Memory: Memory{PerSocket: 4800.7}}
	return &Report{
		Made:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: Machine{CPU: "Some CPU", Cores: 2, Memory: 24e9, System: "Linux 6.18 amd64", Go: "go1.26"},
		Runs:    []Run{run, other, idle},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(want, got) {
		return
	}
	wants, gots := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range gots {
		if i >= len(wants) || wants[i] != gots[i] {
			t.Fatalf("%s differs from line %d on (-update writes it anew):\n%s", name, i+1, gots[i])
		}
	}
	t.Fatalf("%s has more lines (-update writes it anew)", name)
}

func TestTheTableIsAsReviewed(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", b.Bytes())
}

func TestThePageIsAsReviewed(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "page.html", b.Bytes())
}

func TestThePageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http:", "https:", "src=", "url(", "<script", "@import", "<link"} {
		if strings.Contains(b.String(), outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	if !strings.Contains(b.String(), "Push &amp; &lt;more&gt;") || strings.Contains(b.String(), "<more>") {
		t.Error("what is in a report is not escaped")
	}
}

func TestTheFileHoldsEverything(t *testing.T) {
	var b bytes.Buffer
	want := sample()
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, &got) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestChartsGoOnOverSecondsWithoutMessages(t *testing.T) {
	series := []Point{{At: 0}, {At: 1}, {At: 2}, {At: 3}}
	same := func(v float64) float64 { return v }
	got := path([]float64{math.NaN(), 1, math.NaN(), 3}, series, same, same)
	if want := "M1.0 1.0h.01L3.0 3.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for v, want := range map[float64]float64{0: 1, .03: .04, 1: 1, 1.1: 2, 21: 40, 51: 80, 81: 100} {
		if got := ceiling(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("the axis of %v ends at %v, want %v", v, got, want)
		}
	}
}
