package report

import (
	"math"
	"strings"
	"testing"
)

func TestFiguresAreExtrapolatedInAStraightLine(t *testing.T) {
	r := Run{Sockets: 100_000, PushToAllEvery: 5}
	r.Memory.Idle, r.Memory.PerMore, r.Memory.Kernel = 600e6, 2000, &Kernel{PerEnd: 4000}
	r.CPU = CPU{PerConnect: 200, PerDelivery: 20, Empty: .02, Idle: .1}
	want := []struct {
		value float64
		unit  string
	}{{1.4, "GB resident"}, {2, "GB"}, {3.2, "cores"}, {100, "core seconds"}, {.42, "cores"}, {10, "core seconds"}, {2, "cores"}}
	got := Extrapolate(&r, 500_000)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		if e := got[i]; math.Abs(e.Value-w.value) > 1e-9 || e.Unit != w.unit || e.Sockets != 500_000 || !strings.Contains(e.String(), "not measured") {
			t.Errorf("%s, want %g %s", &e, w.value, w.unit)
		}
	}
	if text := got[0].String(); !strings.Contains(text, "500,000 sockets") || !strings.Contains(text, "1.4 GB") || !strings.Contains(text, "2000 bytes") {
		t.Error(text)
	}
}

func TestNothingIsExtrapolatedFromTooLittle(t *testing.T) {
	r := Run{Sockets: 999, Memory: Memory{Idle: 1e6, PerMore: 100}}
	if got := Extrapolate(&r, 500_000); got != nil {
		t.Errorf("from 999 sockets: %v", got)
	}
	r.Sockets = 4999
	if got := Extrapolate(&r, 500_000); got != nil {
		t.Errorf("more than a hundred times as many: %v", got)
	}
	r.Sockets = 5000
	if got := Extrapolate(&r, 500_000); len(got) != 1 {
		t.Errorf("what was measured of 1,000 is memory alone: %v", got)
	}
	for _, sockets := range []int{5000, 500} {
		if got := Extrapolate(&r, sockets); got != nil {
			t.Errorf("to %d, which were there: %v", sockets, got)
		}
	}
}
