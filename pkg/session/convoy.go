package session

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis/v8"
)

// convoy is what travels in one shared pipeline. It keeps its buffers, but those
// of a storm: see keptLists.
type convoy struct {
	parts []*part
	lists map[string]*entered
	free  []*entered
}

// entered is what several callers put into one sorted set: one command for all.
type entered struct {
	args        []any // zadd key gt score member score member ...
	add, expire *redis.Cmd
}

func (e *entered) err() error { return errors.Join(e.add.Err(), e.expire.Err()) }

// send executes the pipeline and tells each caller how its part went.
func (c *convoy) send(g *group) {
	p := g.redis.Client().Pipeline()
	// Not a caller's context: one that gives up must not take the others along.
	var ctx context.Context = deadline{context.Background(), c.until(g.cfg.Timeout)} // boxed once
	for _, part := range c.parts {
		for _, cmd := range part.cmds {
			_ = p.Process(ctx, cmd) // only collects
		}
		c.enter(part)
	}
	for _, list := range c.lists {
		list.add = p.Do(ctx, list.args...)
		list.expire = p.Do(ctx, "pexpire", list.args[1], g.ttl)
	}
	_, _ = p.Exec(ctx) // every command has its own error
	c.answer()
}

// until is when the last caller has given up, at most most from now.
func (c *convoy) until(most time.Duration) time.Time {
	end := time.Now().Add(most)
	var last time.Time
	for _, part := range c.parts {
		if part.until.IsZero() {
			return end
		}
		if part.until.After(last) {
			last = part.until
		}
	}
	if last.Before(end) {
		return last
	}
	return end
}

// deadline bounds a pipeline by the deadlines of its reads and writes alone. For
// a context that can be cancelled the client starts a goroutine each time, which
// grows its stack anew; that and the timer are a fifth of a small pipeline.
type deadline struct {
	context.Context
	at time.Time
}

func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

// enter joins the entries of a part with those of others for the same list.
func (c *convoy) enter(p *part) {
	for n := range p.entries {
		e := &p.entries[n]
		list := c.lists[e.key]
		if list == nil {
			list = c.list(e.key)
		}
		list.args = append(list.args, e.score, e.member)
		e.in = list
	}
}

func (c *convoy) list(key string) *entered {
	list := &entered{}
	if n := len(c.free); n > 0 {
		list, c.free = c.free[n-1], c.free[:n-1]
	}
	list.args = append(list.args[:0], "zadd", key, "gt")
	if c.lists == nil {
		c.lists = make(map[string]*entered)
	}
	c.lists[key] = list
	return list
}

// answer tells the callers, whose the parts are again.
func (c *convoy) answer() {
	for n, part := range c.parts {
		part.done <- part.err()
		c.parts[n] = nil
	}
	c.parts = c.parts[:0]
	for key, list := range c.lists {
		clear(list.args)
		if cap(list.args) <= keptArgs && len(c.free) < keptLists {
			c.free = append(c.free, list)
		}
		delete(c.lists, key)
	}
}

// Bounds of what is kept for the next pipeline, of lists and of each one's
// arguments. Any list may be used for the longest next, so that all of them would
// become as long in time: megabytes that are needed for one.
const (
	keptLists = 1024
	keptArgs  = 32
)
