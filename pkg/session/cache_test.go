package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/pkg/redistest"
)

// counted is a cache of numbers that counts its reads.
type counted struct {
	*cache[int]
	clock time.Time
	reads int
}

func newCounted(change func(*Config)) *counted {
	cfg := DefaultConfig()
	cfg.CacheAfter = 3
	change(&cfg)
	c := &counted{clock: time.Unix(1000, 0)}
	c.cache = newCache(cfg, func() time.Time { return c.clock }, func(v int) int { return v })
	return c
}

func (c *counted) read(key string) (int, source) {
	v, from, _ := c.get(context.Background(), key, func(context.Context) (int, error) { c.reads++; return c.reads, nil })
	return v, from
}

func TestCacheAnswersOnlyForHotKeys(t *testing.T) {
	c := newCounted(func(*Config) {})
	for n := 1; n <= 3; n++ {
		if v, from := c.read("k"); v != n || from != fromRedis {
			t.Errorf("read %d: %d from %s", n, v, from)
		}
	}
	for range 5 {
		if v, from := c.read("k"); v != 3 || from != fromCache {
			t.Errorf("hot: %d from %s", v, from)
		}
	}
	if v, from := c.read("other"); v != 4 || from != fromRedis {
		t.Errorf("another key: %d from %s", v, from)
	}
	c.clock = c.clock.Add(c.keep)
	if v, from := c.read("k"); v != 5 || from != fromRedis {
		t.Errorf("later: %d from %s", v, from)
	}
}

func TestCacheNeverAnswersWithMoreThanKeep(t *testing.T) {
	c := newCounted(func(*Config) {})
	asked := make(map[int]time.Time)
	for range 500 {
		c.clock = c.clock.Add(17 * time.Millisecond)
		v, from := c.read("k")
		if from == fromRedis {
			asked[v] = c.clock
		}
		if age := c.clock.Sub(asked[v]); age >= c.keep {
			t.Fatalf("an answer is %v old", age)
		}
	}
	// 500 reads in 8.5 s: 3 per second, and one more when the last is too old.
	if c.reads > 40 {
		t.Errorf("%d reads", c.reads)
	}
}

func TestCacheDoesNotHideFailuresWithOldAnswers(t *testing.T) {
	c := newCounted(func(*Config) {})
	c.read("k")
	c.clock = c.clock.Add(c.keep * 9 / 10)
	c.read("k")
	c.clock = c.clock.Add(c.keep * 2 / 10)
	for n := range 10 {
		if n == 5 {
			c.clock = c.clock.Add(c.keep * 85 / 100)
		}
		_, from, err := c.get(context.Background(), "k", func(context.Context) (int, error) { return 0, errNotNow })
		if from == fromCache && n >= 5 || from == fromRedis && !errors.Is(err, errNotNow) {
			t.Errorf("read %d: answered from %s, %v", n, from, err)
		}
	}
}

func TestLargeAnswersAreHotAtOnce(t *testing.T) {
	c := newCounted(func(*Config) {})
	load := func(context.Context) (int, error) { c.reads++; return 3 * sizePerRead, nil }
	for range 10 {
		_, _, _ = c.get(context.Background(), "large", load)
	}
	if c.reads != 1 {
		t.Errorf("%d reads", c.reads)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCounted(func(cfg *Config) { cfg.CacheKeys = 10 })
	for n := range 100 {
		c.read(fmt.Sprint(n))
	}
	if len(c.slots) != 10 {
		t.Errorf("%d keys kept", len(c.slots))
	}
	c.clock = c.clock.Add(2 * c.keep)
	c.read("new")
	if len(c.slots) != 1 {
		t.Errorf("%d keys kept later", len(c.slots))
	}
	large := func(context.Context) (int, error) { return mostTotal - 10, nil }
	for _, key := range []string{"a", "b", "c"} {
		_, _, _ = c.get(context.Background(), key, large)
		_, _, _ = c.get(context.Background(), key, large)
	}
	if c.total > mostTotal {
		t.Errorf("%d members kept", c.total)
	}
	c.clock = c.clock.Add(2 * c.keep)
	c.read("new")
	if c.total > 200 {
		t.Errorf("%d members kept later", c.total)
	}
}

func TestHotKeyIsReadByOneAtATime(t *testing.T) {
	c := newCounted(func(cfg *Config) { cfg.CacheAfter = 1 })
	c.read("k")
	c.clock = c.clock.Add(c.keep / 2)
	c.mu.Lock()
	c.dropLocked(c.slots["k"])
	c.mu.Unlock()
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	load := func(ctx context.Context) (int, error) {
		entered <- struct{}{}
		select {
		case <-release:
			return 42, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	// The first one gives up: the others must not.
	impatient, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, _, err := c.get(impatient, "k", load); !errors.Is(err, context.Canceled) {
			t.Errorf("impatient: %v", err)
		}
	})
	<-entered
	for range 20 {
		wg.Go(func() {
			if v, _, err := c.get(context.Background(), "k", load); v != 42 || err != nil {
				t.Errorf("waited: %d %v", v, err)
			}
		})
	}
	cancel()
	<-entered // one of them goes on
	select {
	case <-entered:
		t.Error("two read at once")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	wg.Wait()
}

func TestCacheCanBeOff(t *testing.T) {
	c := newCounted(func(cfg *Config) { cfg.CacheFor = 0 })
	for range 10 {
		c.read("k")
	}
	if c.reads != 10 || len(c.slots) != 0 {
		t.Errorf("%d reads, %d keys kept", c.reads, len(c.slots))
	}
}

// A hot document asks little of Redis, and still shows no dead replica's
// sockets.
func TestHotDocumentIsAnsweredFromTheCache(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	long := func(c *Config) { c.CacheFor, c.SweepGrace = 10*time.Second, time.Hour }
	dying, living := p.open(Node{1, "b1"}, long), p.open(Node{2, "b2"}, long)
	dying.connect("u", "d")
	b := living.connect("u", "d")
	for range 100 {
		if got := ofDoc(t, living.i, "d"); len(got) != 2 {
			t.Fatalf("members %v", got)
		}
	}
	c := p.Mini.CommandCount()
	for range 300 {
		ofDoc(t, living.i, "d")
		if _, err := living.i.Nodes(ctxT(t), "d"); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.Mini.CommandCount() - c; n > 300 {
		t.Errorf("%d commands for 600 look-ups", n)
	}
	dying.kill()
	eventually(t, "the dead are not shown", func() bool { return same(ofDoc(t, living.i, "d"), b.Socket) })
	if n := must[int](t)(living.i.CountDoc(ctxT(t), "d")); n != 1 {
		t.Errorf("count %d", n)
	}
}
