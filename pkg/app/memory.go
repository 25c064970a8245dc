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
	// it for many of them. At least 0.1, or zero, which sets no limit; without a
	// container there is none.
	LimitShare float64 `toml:"limit_share"`
	// GCPercent is how much may be allocated at most, in percent of what is in use,
	// before the collector runs. Default 100. More costs memory and saves CPU,
	// mostly while many clients connect.
	GCPercent int `toml:"gc_percent"`
	// GCPercentMin is the least: while little is allocated the collector runs
	// earlier than at GCPercent, so that a process at rest takes little more than
	// what is in use. Default 20. The same as GCPercent keeps it there.
	GCPercentMin int `toml:"gc_percent_min"`
	// GCCPU is the share of the CPUs that the collector may use below GCPercent.
	// Default 0.01. Less costs memory under load; more saves some.
	GCCPU float64 `toml:"gc_cpu"`
}

func defaultMemory() MemoryConfig {
	return MemoryConfig{LimitShare: 0.9, GCPercent: 100, GCPercentMin: 20, GCCPU: 0.01}
}

// Validate reports everything that is wrong.
func (c *MemoryConfig) Validate() error {
	var errs []error
	if c.LimitShare != 0 && (c.LimitShare < 0.1 || c.LimitShare > 1) { // with less the collector would do nothing else
		errs = append(errs, errors.New("limit_share: must be from 0.1 to 1, or 0"))
	}
	if c.GCPercent < 10 || c.GCPercent > 10_000 {
		errs = append(errs, errors.New("gc_percent: must be from 10 to 10000"))
	}
	if c.GCPercentMin < 10 || c.GCPercentMin > c.GCPercent {
		errs = append(errs, errors.New("gc_percent_min: must be from 10 to gc_percent"))
	}
	if c.GCCPU < 0.001 || c.GCCPU > 0.25 {
		errs = append(errs, errors.New("gc_cpu: must be from 0.001 to 0.25"))
	}
	return errors.Join(errs...)
}

// apply sets the process's collector, and returns what keeps setting it; nil when
// nothing has to.
func (c *MemoryConfig) apply(env func(string) (string, bool), log *elog.Component) *pacer {
	c.applyLimit(log)
	if _, set := env("GOGC"); set {
		return nil
	}
	debug.SetGCPercent(c.GCPercent)
	if c.GCPercentMin == c.GCPercent {
		return nil
	}
	return &pacer{min: c.GCPercentMin, max: c.GCPercent, cpu: c.GCCPU, percent: c.GCPercent}
}

func (c *MemoryConfig) applyLimit(log *elog.Component) {
	if c.LimitShare == 0 {
		return
	}
	limit, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(c.LimitShare), memlimit.WithProvider(sensible(memlimit.FromCgroup)))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
	case err != nil:
		log.Warn("no memory limit is set", elog.FieldErr(err))
	case limit > 0:
		log.Info("memory limit", elog.Int64("bytes", limit))
	}
}

// No process of ours fits into less, and no machine has more.
const (
	leastLimit = 16 << 20
	mostLimit  = 1 << 50
)

var errNoSensibleLimit = errors.New("the container's limit is less than any process needs")

// sensible reads a container's limit, but for what cannot be one: the collector
// would work without end.
func sensible(read memlimit.Provider) memlimit.Provider {
	return func() (uint64, error) {
		limit, err := read()
		switch {
		case err != nil:
			return 0, err
		case limit < leastLimit:
			return 0, errNoSensibleLimit
		case limit > mostLimit:
			return 0, memlimit.ErrNoLimit
		}
		return limit, nil
	}
}
