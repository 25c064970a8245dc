package app

import (
	"errors"
	"math"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/gotomicro/ego/core/elog"
)

func TestTheCollectorIsSetUnlessTheEnvironmentDoes(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	c := MemoryConfig{GCPercent: 150, GCPercentMin: 20}
	if c.apply(func(string) (string, bool) { return "200", true }, elog.DefaultLogger) != nil {
		t.Error("what the environment set is moved")
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("%d with GOGC in the environment", got)
	}
	if c.apply(func(string) (string, bool) { return "", false }, elog.DefaultLogger) == nil {
		t.Error("it stays where it begins")
	}
	fixed := MemoryConfig{GCPercent: 150, GCPercentMin: 150}
	if fixed.apply(func(string) (string, bool) { return "", false }, elog.DefaultLogger) != nil {
		t.Error("what is fixed is moved")
	}
	if got := debug.SetGCPercent(100); got != 150 {
		t.Errorf("%d, want 150", got)
	}
}

func TestALimitThatCannotBeOneIsNone(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		limit uint64
		err   error
		want  error
	}{
		{0, nil, errNoSensibleLimit}, {1, nil, errNoSensibleLimit}, {leastLimit - 1, nil, errNoSensibleLimit},
		{leastLimit, nil, nil}, {4 << 30, nil, nil}, {mostLimit, nil, nil},
		{mostLimit + 1, nil, memlimit.ErrNoLimit}, {math.MaxUint64, nil, memlimit.ErrNoLimit},
		{0, broken, broken}, {0, memlimit.ErrNoLimit, memlimit.ErrNoLimit},
	} {
		got, err := sensible(func() (uint64, error) { return c.limit, c.err })()
		if !errors.Is(err, c.want) || err == nil && got != c.limit {
			t.Errorf("%d, %v: %d, %v", c.limit, c.err, got, err)
		}
	}
}

func TestMemorySettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		key   string
		value float64
		good  bool
	}{
		{"limit_share", -0.1, false}, {"limit_share", 0, true}, {"limit_share", 0.001, false}, {"limit_share", 0.09, false}, {"limit_share", 0.1, true}, {"limit_share", 1, true}, {"limit_share", 1.1, false}, {"limit_share", 100, false},
		{"gc_percent", 9, false}, {"gc_percent", 19, false}, {"gc_percent", 20, true}, {"gc_percent", 10_000, true}, {"gc_percent", 10_001, false}, {"gc_percent", 1_000_000, false},
		{"gc_percent_min", 0, false}, {"gc_percent_min", 9, false}, {"gc_percent_min", 10, true}, {"gc_percent_min", 100, true}, {"gc_percent_min", 101, false}, {"gc_percent_min", 10_000, false},
		{"gc_cpu", 0, false}, {"gc_cpu", 0.0009, false}, {"gc_cpu", 0.001, true}, {"gc_cpu", 0.25, true}, {"gc_cpu", 0.26, false}, {"gc_cpu", 25, false},
	} {
		m := defaultMemory()
		switch c.key {
		case "limit_share":
			m.LimitShare = c.value
		case "gc_percent":
			m.GCPercent = int(c.value)
		case "gc_percent_min":
			m.GCPercentMin = int(c.value)
		case "gc_cpu":
			m.GCCPU = c.value
		}
		if good := m.Validate() == nil; good != c.good {
			t.Errorf("%s = %v is taken: %v", c.key, c.value, good)
		}
	}
	if c := defaultMemory(); c.Validate() != nil {
		t.Error("the defaults are refused")
	}
}
