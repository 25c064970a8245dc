package bench

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestMetricsAreReadWithTheirLabels(t *testing.T) {
	read := func(text string) map[string]float64 {
		t.Helper()
		m, err := parseMetrics(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := read("# HELP x y\nsluice_a_total{reason=\"a b\"} 5\nsluice_same_total 3\n")
	after := read("sluice_a_total{reason=\"a b\"} 7.5 1700000000\nsluice_same_total 3\nsluice_sessions 12\ngo_goroutines 9\n" +
		"other_total 4\nsluice_x_seconds_bucket{le=\"1\"} 4\nsluice_x_seconds_sum 1\nsluice_x_seconds_count 4\nnot a line\n\n")
	got := metricsOf(before, after)
	want := map[string]float64{`sluice_a_total{reason="a b"}`: 2.5, "sluice_sessions": 12, "go_goroutines": 9, "sluice_x_seconds_count": 4}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
}

func TestProcessesAreReadFromTheSystem(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip(err)
	}
	resident, _, err := usage(os.Getpid())
	if err != nil || resident < 1<<20 || resident > 1<<34 {
		t.Errorf("%d bytes resident, %v", resident, err)
	}
	precise, err := exact(os.Getpid())
	if err != nil || precise < resident/2 || precise > resident*2 {
		t.Errorf("%d bytes by the page tables, %d by the counts, %v", precise, resident, err)
	}
	if n, err := openFiles(os.Getpid()); err != nil || n < 64 {
		t.Errorf("%d open files, %v", n, err)
	}
	if n := ports(); n < 1000 || n > 1<<16 {
		t.Errorf("%d ports", n)
	}
	_, before, err := usage(os.Getpid())
	used := 0.0
	for from := time.Now(); err == nil && used < .05 && time.Since(from) < 30*time.Second; {
		var now float64
		_, now, err = usage(os.Getpid())
		used = now - before
	}
	if err != nil || used < .05 {
		t.Errorf("%.2f s of CPU while there was work, %v", used, err)
	}
}

func TestAClientSaysWhoItIsAndWhatItWants(t *testing.T) {
	const secret = "a-secret-of-32-bytes-or-a-bit-more"
	a := assignment{Secret: secret, Clients: ClientsSection{Documents: 10}}
	auth := string(a.auth([]byte("40"), 17))
	if !strings.HasPrefix(auth, `40{"token":"`) || !strings.HasSuffix(auth, `","documents":["bench-7"]}`) {
		t.Error(auth)
	}
	if auth := string((&assignment{}).auth([]byte("40"), 17)); auth != "40" {
		t.Error(auth)
	}
	if auth := string((&assignment{Clients: ClientsSection{Documents: 1}}).auth(nil, 17)); auth != `{"documents":["bench-0"]}` {
		t.Error(auth)
	}
}
