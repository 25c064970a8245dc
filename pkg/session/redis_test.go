package session

import (
	"regexp"
	"testing"
	"time"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const patience = redistest.Patience

var (
	quiet      = redistest.Quiet
	ctxT       = redistest.Context
	eventually = redistest.Eventually
)

// place is a Redis to test against.
type place struct{ *redistest.Place }

// eachPlace runs a test at the same time in every kind of place.
func eachPlace(t *testing.T, f func(t *testing.T, p *place)) {
	for _, kind := range redistest.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, open(t, kind))
		})
	}
}

// open returns a place whose embedded Redis lets keys expire by the clock.
func open(t testing.TB, kind string) *place {
	p := &place{redistest.Open(t, kind)}
	if p.Mini != nil {
		p.Mini.ClockTTL(true)
	}
	return p
}

// config returns settings that make a test quick.
func (p *place) config() Config {
	cfg := DefaultConfig()
	cfg.Prefix = p.Prefix
	cfg.LeaseTTL = 2 * time.Second
	cfg.Timeout = time.Minute
	cfg.RenewEvery = 50 * time.Millisecond
	cfg.NodesFor = 10 * time.Millisecond
	cfg.SweepGrace = 2 * time.Second
	cfg.RefreshEvery = 100 * time.Millisecond
	cfg.TTL = 20 * time.Second
	cfg.Batch = 7
	return cfg
}

func (p *place) index(change ...func(*Config)) *Index {
	return p.indexAt(p.Redis, change...)
}

func (p *place) indexAt(c *eredis.Component, change ...func(*Config)) *Index {
	cfg := p.config()
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		p.T.Fatal(err)
	}
	return New(cfg, c, quiet, NewMetrics(prometheus.NewRegistry()), time.Now)
}

var leaseKey = regexp.MustCompile(`:node:\d+$`)

// wipe leaves the leases for last: then it is noticed.
func (p *place) wipe() { p.Wipe(leaseKey.MatchString) }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
