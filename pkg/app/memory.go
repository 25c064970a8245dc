package app

import (
	"errors"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/gotomicro/ego/core/elog"
)

// MemoryConfig is how the garbage collector works. GOGC and GOMEMLIMIT in the
// environment go before it.
type MemoryConfig struct {
	// LimitShare of the container's memory limit is what the collector works hard
	// not to exceed, so that a burst does not get the process killed. Default 0.9;
	// what the kernel holds for connections counts in the container too, so lower
	// it for many of them. Zero sets no limit; without a container there is none.
	LimitShare float64 `toml:"limit_share"`
	// GCPercent is how much may be allocated, in percent of what is in use, before
	// the collector runs. Default 100. More costs memory and saves CPU, mostly
	// while many clients connect.
	GCPercent int `toml:"gc_percent"`
}

func defaultMemory() MemoryConfig { return MemoryConfig{LimitShare: 0.9, GCPercent: 100} }

// Validate reports everything that is wrong.
func (c *MemoryConfig) Validate() error {
	var errs []error
	if c.LimitShare < 0 || c.LimitShare > 1 {
		errs = append(errs, errors.New("limit_share: must be from 0 to 1"))
	}
	if c.GCPercent < 10 || c.GCPercent > 10_000 {
		errs = append(errs, errors.New("gc_percent: must be from 10 to 10000"))
	}
	return errors.Join(errs...)
}

// apply sets the process's collector.
func (c *MemoryConfig) apply(env func(string) (string, bool), log *elog.Component) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(c.GCPercent)
	}
	if c.LimitShare == 0 {
		return
	}
	limit, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(c.LimitShare), memlimit.WithProvider(memlimit.FromCgroup))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
	case err != nil:
		log.Warn("no memory limit is set", elog.FieldErr(err))
	case limit > 0:
		log.Info("memory limit", elog.Int64("bytes", limit))
	}
}
