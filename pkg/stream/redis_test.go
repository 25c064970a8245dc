package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
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

// eachPlace runs a test in every kind of place.
func eachPlace(t *testing.T, f func(t *testing.T, p *place)) {
	eachOf(t, redistest.Kinds(), f)
}

// eachStub leaves out the cluster client, which would go around a proxy.
func eachStub(t *testing.T, f func(t *testing.T, p *place)) {
	eachOf(t, slices.DeleteFunc(redistest.Kinds(), func(kind string) bool { return kind == redistest.ClusterKind }), f)
}

func eachOf(t *testing.T, kinds []string, f func(t *testing.T, p *place)) {
	// One after the other: eredis sets go-redis' only logger whenever it builds a
	// client, and a test that cuts connections makes go-redis use it.
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { f(t, &place{redistest.Open(t, kind)}) })
	}
}

// config returns settings that make a test quick.
func (p *place) config() Config {
	cfg := DefaultConfig()
	cfg.Prefix = p.Prefix
	cfg.Shards = 2
	cfg.AnnounceEvery = 100 * time.Millisecond
	cfg.Grace = 50 * time.Millisecond
	cfg.RetryMin = 10 * time.Millisecond
	cfg.RetryMax = 50 * time.Millisecond
	return cfg
}

func (p *place) stream(change ...func(*Config)) *Stream {
	return p.streamAt(p.Redis, change...)
}

func (p *place) streamAt(c *eredis.Component, change ...func(*Config)) *Stream {
	cfg := p.config()
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		p.T.Fatal(err)
	}
	return New(cfg, c, quiet, NewMetrics(prometheus.NewRegistry()))
}

// muted returns a Stream whose messages nobody hears: each is a lost broadcast.
func (p *place) muted(change ...func(*Config)) *Stream {
	s := p.stream(change...)
	for n := range s.shards {
		s.shards[n].keys.channel += ":nowhere"
	}
	return s
}

// wipe does to the test's keys what FLUSHALL does to all.
func (p *place) wipe() { p.Wipe(nil) }

func mid(n int) id.Message { return id.Message(1<<40 + n) }

func doc(name string) id.Target { return id.DocTarget(id.Doc(name)) }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// putMany appends as one does who must not give up: what failed is appended
// again, which happens when the machine is slow.
func putMany(t testing.TB, s *Stream, items []Item) []Result {
	t.Helper()
	ctx := ctxT(t)
	for {
		results := s.AppendMany(ctx, items)
		if !slices.ContainsFunc(results, func(r Result) bool { return r.Err != nil }) {
			return results
		}
		if ctx.Err() != nil {
			t.Fatalf("not appended: %+v", results[0])
		}
	}
}

// put appends and returns the entry.
func put(t testing.TB, s *Stream, target id.Target, m id.Message, body string) Entry {
	t.Helper()
	e, dup, err := s.Append(ctxT(t), target, m, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if dup {
		t.Fatalf("%v to %v is said to be a duplicate", m, target)
	}
	return e
}
