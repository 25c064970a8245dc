package bench

import (
	"testing"

	"sluice/pkg/bench/report"
)

func TestMemoryHasSettledWhenLooksAgree(t *testing.T) {
	c := calm{same: 3}
	for name, l := range map[string]struct {
		looks []int64
		want  bool
	}{
		"none":                     {nil, false},
		"too few":                  {[]int64{1000, 1000}, false},
		"the same":                 {[]int64{1000, 1000, 1000}, true},
		"at the limit":             {[]int64{9000, 1000, 995, 990}, true},
		"one above":                {[]int64{1000, 995, 989}, false},
		"a hundred times":          {[]int64{1000, 1000, 100_000}, false},
		"growing back":             {[]int64{1000, 980, 1000}, false},
		"only the last ones count": {[]int64{5000, 3000, 1000, 1000, 1000}, true},
	} {
		if got := c.settled(l.looks); got != l.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOneSocketMoreIsTheSlope(t *testing.T) {
	before := state{sockets: 1000, resident: 50e6, heap: 10e6, stacks: 1e6}
	after := state{sockets: 5000, resident: 62e6, heap: 18e6, stacks: 1e6 + 4000*2048, goroutines: 4100}
	var m report.Memory
	after.each(&before, &m)
	if m.PerMore != 3000 || m.HeapPerMore != 2000 || m.StackPerMore != 2048 || m.Goroutines != 4100 {
		t.Errorf("%+v", m)
	}
	m = report.Memory{}
	after.each(&state{}, &m) // of a server whose memory cannot be seen
	before.each(&after, &m)  // fewer than before
	if m.PerMore != 0 {
		t.Errorf("%+v", m)
	}
}
