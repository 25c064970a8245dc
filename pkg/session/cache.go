package session

import (
	"context"
	"errors"
	"sync"
	"time"
)

// cache answers repeated look-ups of hot keys without Redis. A key is hot when
// it was read often, or when its answer is large: each read is paid from a small
// budget, and when that is spent within keep, the last answer is repeated and
// one caller at a time asks again. So a key that is looked up now and then is
// always read from Redis, and shows what was written a moment ago.
type cache[V any] struct {
	keep   time.Duration
	budget int
	most   int // keys
	now    func() time.Time
	size   func(V) int

	mu      sync.Mutex // guards all below
	slots   map[string]*slot[V]
	total   int // sizes of all answers kept
	cleaned time.Time
}

// slot is what is kept of one key.
type slot[V any] struct {
	since  time.Time // begin of the period in which spent is counted
	spent  int
	value  V
	at     time.Time // when the value was asked for; zero: there is none
	flight *flight[V]
}

// flight is a read that others may wait for.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

const (
	sizePerRead = 256     // members that cost as much as one more read
	mostTotal   = 1 << 20 // members kept in all
)

func newCache[V any](cfg Config, now func() time.Time, size func(V) int) *cache[V] {
	return &cache[V]{
		keep: cfg.CacheFor, budget: cfg.CacheAfter, most: cfg.CacheKeys, now: now, size: size,
		slots: make(map[string]*slot[V]),
	}
}

// source is where an answer came from; it is a metric label.
type source string

const (
	fromRedis  source = "redis"
	fromCache  source = "cache"
	fromFlight source = "flight"
)

// get returns the key's answer, from load or from an earlier one. The answer is
// shared: do not change it.
func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context) (V, error)) (V, source, error) {
	for {
		now := c.now()
		c.mu.Lock()
		s := c.slotLocked(key, now)
		if s == nil { // the cache is full, or off
			c.mu.Unlock()
			v, err := load(ctx)
			return v, fromRedis, err
		}
		hot := s.spent >= c.budget
		if hot && !s.at.IsZero() && now.Sub(s.at) < c.keep {
			v := s.value
			c.mu.Unlock()
			return v, fromCache, nil
		}
		if f := s.flight; hot && f != nil {
			c.mu.Unlock()
			select {
			case <-f.done:
			case <-ctx.Done():
				var none V
				return none, fromFlight, ctx.Err()
			}
			// Somebody else's context may have ended, not ours: try again.
			if errors.Is(f.err, context.Canceled) || errors.Is(f.err, context.DeadlineExceeded) {
				continue
			}
			return f.value, fromFlight, f.err
		}
		s.spent++
		f := &flight[V]{done: make(chan struct{})}
		if s.flight == nil {
			s.flight = f
		}
		c.mu.Unlock()
		f.value, f.err = load(ctx)
		c.land(key, s, f, now)
		return f.value, fromRedis, f.err
	}
}

// slotLocked returns the key's slot, or nil when there shall be none.
func (c *cache[V]) slotLocked(key string, now time.Time) *slot[V] {
	if c.keep <= 0 {
		return nil
	}
	if now.Sub(c.cleaned) >= c.keep {
		c.cleaned = now
		c.cleanLocked(now)
	}
	s := c.slots[key]
	if s == nil {
		if len(c.slots) >= c.most {
			return nil
		}
		s = &slot[V]{since: now}
		c.slots[key] = s
	}
	if now.Sub(s.since) >= c.keep {
		s.since, s.spent = now, 0
	}
	return s
}

// cleanLocked drops what is neither fresh nor under way.
func (c *cache[V]) cleanLocked(now time.Time) {
	for key, s := range c.slots {
		if s.flight == nil && now.Sub(s.since) >= c.keep && now.Sub(s.at) >= c.keep {
			c.dropLocked(s)
			delete(c.slots, key)
		}
	}
}

// dropLocked forgets a slot's answer.
func (c *cache[V]) dropLocked(s *slot[V]) {
	if s.at.IsZero() {
		return
	}
	c.total -= c.size(s.value)
	var none V
	s.value, s.at = none, time.Time{}
}

// land keeps the result of a read and wakes who waits for it.
func (c *cache[V]) land(key string, s *slot[V], f *flight[V], asked time.Time) {
	c.mu.Lock()
	if s.flight == f {
		s.flight = nil
	}
	if f.err == nil && c.slots[key] == s && !asked.Before(s.at) {
		size := c.size(f.value)
		s.spent += size / sizePerRead
		c.dropLocked(s)
		if c.total+size <= mostTotal {
			s.value, s.at = f.value, asked
			c.total += size
		}
	}
	c.mu.Unlock()
	close(f.done)
}
