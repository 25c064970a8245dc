package app

import (
	"runtime/debug"
	"testing"

	"github.com/gotomicro/ego/core/elog"
)

func TestTheCollectorIsSetUnlessTheEnvironmentDoes(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	c := MemoryConfig{GCPercent: 150}
	c.apply(func(string) (string, bool) { return "200", true }, elog.DefaultLogger)
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("%d with GOGC in the environment", got)
	}
	c.apply(func(string) (string, bool) { return "", false }, elog.DefaultLogger)
	if got := debug.SetGCPercent(100); got != 150 {
		t.Errorf("%d, want 150", got)
	}
}

func TestMemorySettingsAreChecked(t *testing.T) {
	for _, c := range []MemoryConfig{
		{LimitShare: -0.1, GCPercent: 100}, {LimitShare: 1.1, GCPercent: 100},
		{GCPercent: 9}, {GCPercent: 10_001}, {},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if c := defaultMemory(); c.Validate() != nil {
		t.Error("the defaults are refused")
	}
}
