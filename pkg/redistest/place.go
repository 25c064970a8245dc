// Package redistest is what the tests of the packages that own Redis share:
// places to test against, and a proxy that fails. Only tests import it.
package redistest

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
	"github.com/gotomicro/ego/core/econf"
)

// Place is a Redis to test against, and a prefix in it that nobody else uses.
type Place struct {
	T      testing.TB
	Addr   string
	Mini   *miniredis.Miniredis // nil for a real Redis
	Redis  *eredis.Component
	Prefix string
}

var places atomic.Int64

// Kinds of places.
const (
	EmbeddedKind = "embedded" // miniredis
	ClusterKind  = "cluster"  // miniredis through the cluster client
	RealKind     = "real"     // the Redis at SLUICE_TEST_REDIS
)

// Kinds are those to test against: real only when SLUICE_TEST_REAL is set.
func Kinds() []string {
	kinds := []string{EmbeddedKind, ClusterKind}
	if os.Getenv("SLUICE_TEST_REAL") != "" {
		kinds = append(kinds, RealKind)
	}
	return kinds
}

// Open returns a place, which ends with the test.
func Open(t testing.TB, kind string) *Place {
	switch kind {
	case RealKind:
		return realPlace(t)
	case ClusterKind:
		return embedded(t, eredis.WithCluster())
	default:
		return embedded(t, eredis.WithStub())
	}
}

func embedded(t testing.TB, mode eredis.Option) *Place {
	mini := miniredis.RunT(t)
	mini.Server().SetPreHook(oneSlot(t))
	p := &Place{T: t, Addr: mini.Addr(), Mini: mini, Prefix: "ws"}
	p.Redis = Connect(t, mini.Addr(), mode)
	return p
}

func realPlace(t testing.TB) *Place {
	addr := os.Getenv("SLUICE_TEST_REDIS")
	if addr == "" {
		t.Fatal("SLUICE_TEST_REAL is set and SLUICE_TEST_REDIS is not")
	}
	p := &Place{T: t, Addr: addr, Prefix: fmt.Sprintf("test%d-%d-%d", os.Getpid(), time.Now().UnixNano(), places.Add(1))}
	p.Redis = Connect(t, addr, eredis.WithStub())
	t.Cleanup(func() { p.Wipe(nil) })
	return p
}

var building sync.Mutex // held while a client is built

// settings is where EGO's configuration has what eredis takes from nowhere else.
const settings = "sluice_redistest"

// unhurried is for a machine that is slow: what times are for, contexts are.
var unhurried = map[string]any{"dialTimeout": time.Minute, "readTimeout": time.Minute, "writeTimeout": time.Minute}

// Connect builds a client, which is closed with the test.
func Connect(t testing.TB, addr string, mode eredis.Option) *eredis.Component {
	building.Lock() // it sets go-redis' logger, which is one for all
	defer building.Unlock()
	econf.Set(settings, unhurried)
	c := eredis.Load(settings).Build(mode, eredis.WithAddr(addr), eredis.WithAddrs([]string{addr}))
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
			if HashTag(k) != HashTag(keys[0]) {
				t.Errorf("%s: keys %q and %q may be in different slots", cmd, keys[0], k)
			}
		}
		return false
	}
}

// HashTag is the part of a key that decides over its slot.
func HashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// Client is the place's client, whatever its kind.
func (p *Place) Client() redis.Cmdable { return p.Redis.Client() }

// Keys lists all keys of the test.
func (p *Place) Keys() []string {
	p.T.Helper()
	var mu sync.Mutex
	var keys []string
	list := func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			page, next, err := c.Scan(ctx, cursor, p.Prefix+":*", 1000).Result()
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
	if c := p.Redis.Cluster(); c != nil {
		err = c.ForEachMaster(context.Background(), list)
	} else {
		err = list(context.Background(), p.Redis.Stub())
	}
	if err != nil {
		p.T.Fatal(err)
	}
	// A scan may return a key twice.
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Wipe does to the test's keys what FLUSHALL does to all. It takes its time, so
// those that last names, if it is not nil, go last.
func (p *Place) Wipe(last func(key string) bool) {
	keys := p.Keys()
	if last != nil {
		slices.SortStableFunc(keys, func(a, b string) int {
			switch x, y := last(a), last(b); {
			case x == y:
				return 0
			case x:
				return 1
			}
			return -1
		})
	}
	for page := range slices.Chunk(keys, 1000) {
		_, err := p.Client().Pipelined(context.Background(), func(pipe redis.Pipeliner) error {
			for _, k := range page {
				pipe.Del(context.Background(), k)
			}
			return nil
		})
		if err != nil {
			p.T.Fatal(err)
		}
	}
}
