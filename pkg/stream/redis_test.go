package stream

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/id"
)

func TestMain(m *testing.M) {
	elog.EgoLogger = quiet                           // go-redis reports lost connections there
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // EGO has started its loggers
}

var quiet = elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))

// place is a Redis to test against, and a prefix in it that nobody else uses.
type place struct {
	t      testing.TB
	addr   string
	mini   *miniredis.Miniredis // nil for a real Redis
	redis  *eredis.Component
	prefix string
}

var places atomic.Int64

// eachPlace runs a test against miniredis, against miniredis
// through the cluster client, and when SLUICE_TEST_REAL is set against the Redis
// at SLUICE_TEST_REDIS.
func eachPlace(t *testing.T, f func(t *testing.T, p *place)) {
	runAt(t, "cluster", f, func(t testing.TB) *place { return embedded(t, eredis.WithCluster()) })
	eachStub(t, f)
}

// eachStub leaves out the cluster client, which would go around a proxy.
func eachStub(t *testing.T, f func(t *testing.T, p *place)) {
	runAt(t, "embedded", f, func(t testing.TB) *place { return embedded(t, eredis.WithStub()) })
	if os.Getenv("SLUICE_TEST_REAL") != "" {
		runAt(t, "real", f, realPlace)
	}
}

func runAt(t *testing.T, name string, f func(t *testing.T, p *place), open func(t testing.TB) *place) {
	// One after the other: eredis sets go-redis' only logger whenever it builds a
	// client, and a test that cuts connections makes go-redis use it.
	t.Run(name, func(t *testing.T) { f(t, open(t)) })
}

func embedded(t testing.TB, mode eredis.Option) *place {
	mini := miniredis.RunT(t)
	mini.Server().SetPreHook(oneSlot(t))
	p := &place{t: t, addr: mini.Addr(), mini: mini, prefix: "ws"}
	p.redis = connect(t, mini.Addr(), mode)
	return p
}

func realPlace(t testing.TB) *place {
	addr := os.Getenv("SLUICE_TEST_REDIS")
	if addr == "" {
		t.Fatal("SLUICE_TEST_REAL is set and SLUICE_TEST_REDIS is not")
	}
	p := &place{t: t, addr: addr, prefix: fmt.Sprintf("test%d-%d-%d", os.Getpid(), time.Now().UnixNano(), places.Add(1))}
	p.redis = connect(t, addr, eredis.WithStub())
	t.Cleanup(p.wipe)
	return p
}

var building sync.Mutex // held while a client is built

func connect(t testing.TB, addr string, mode eredis.Option) *eredis.Component {
	building.Lock() // it sets go-redis' logger, which is one for all
	defer building.Unlock()
	c := eredis.DefaultContainer().Build(mode, eredis.WithAddr(addr), eredis.WithAddrs([]string{addr}))
	t.Cleanup(func() {
		if cluster := c.Cluster(); cluster != nil {
			_ = cluster.Close()
			return
		}
		_ = c.Stub().Close()
	})
	return c
}

// oneSlot fails the test when a command has keys in different slots: a Redis
// Cluster would refuse it.
func oneSlot(t testing.TB) server.Hook {
	return func(_ *server.Peer, cmd string, args ...string) bool {
		var keys []string
		switch strings.ToUpper(cmd) {
		case "EVAL", "EVALSHA":
			n, _ := strconv.Atoi(args[1])
			keys = args[2 : 2+n]
		case "DEL", "EXISTS", "UNLINK", "MGET":
			keys = args
		}
		for _, k := range keys {
			if hashTag(k) != hashTag(keys[0]) {
				t.Errorf("%s: keys %q and %q may be in different slots", cmd, keys[0], k)
			}
		}
		return false
	}
}

func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// config returns settings that make a test quick.
func (p *place) config() Config {
	cfg := DefaultConfig()
	cfg.Prefix = p.prefix
	cfg.Shards = 2
	cfg.AnnounceEvery = 100 * time.Millisecond
	cfg.Grace = 50 * time.Millisecond
	cfg.RetryMin = 10 * time.Millisecond
	cfg.RetryMax = 50 * time.Millisecond
	return cfg
}

func (p *place) stream(change ...func(*Config)) *Stream {
	return p.streamAt(p.redis, change...)
}

func (p *place) streamAt(c *eredis.Component, change ...func(*Config)) *Stream {
	cfg := p.config()
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		p.t.Fatal(err)
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

func (p *place) client() redis.Cmdable { return p.redis.Client() }

// keys lists all keys of the test.
func (p *place) keys() []string {
	p.t.Helper()
	var mu sync.Mutex
	var keys []string
	list := func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			page, next, err := c.Scan(ctx, cursor, p.prefix+":*", 1000).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			keys = append(keys, page...)
			mu.Unlock()
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	var err error
	if c := p.redis.Cluster(); c != nil {
		err = c.ForEachMaster(context.Background(), list)
	} else {
		err = list(context.Background(), p.redis.Stub())
	}
	if err != nil {
		p.t.Fatal(err)
	}
	// A scan may return a key twice.
	slices.Sort(keys)
	return slices.Compact(keys)
}

// wipe does to the test's keys what FLUSHALL does to all.
func (p *place) wipe() {
	for _, k := range p.keys() {
		if err := p.client().Del(context.Background(), k).Err(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// ctxT ends after a time in which everything here must have happened.
func ctxT(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("did not happen: %s", what)
}

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
