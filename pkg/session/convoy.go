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
	lists map[string]*entered // those of earlier pipelines, too: the same come again
	under []*entered          // those of this one
}

// entered is what several callers put into one sorted set: one command for all.
type entered struct {
	args        []any  // zadd key gt score member score member ...
	life        [3]any // pexpire key ttl
	add, expire redis.Cmd
	way         bool // it is in the pipeline
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
	for _, list := range c.under {
		list.life = [...]any{"pexpire", list.args[1], g.ttl}
		list.add, list.expire = *redis.NewCmd(ctx, list.args...), *redis.NewCmd(ctx, list.life[:]...)
		_, _ = p.Process(ctx, &list.add), p.Process(ctx, &list.expire) // the same
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
		list := c.lists[string(e.key.b)]
		if list == nil {
			list = c.list(string(e.key.b))
		}
		if !list.way {
			list.way, list.args = true, append(list.args[:0], "zadd", e.key, "gt")
			c.under = append(c.under, list)
		}
		list.args = append(list.args, e.score, e.member)
		e.in = list
	}
}

func (c *convoy) list(key string) *entered {
	list := &entered{}
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
	for _, list := range c.under {
		clear(list.args)
		*list = entered{args: list.args[:0]}
		if cap(list.args) > keptArgs {
			list.args = nil
		}
	}
	clear(c.under)
	c.under = c.under[:0]
	if len(c.lists) > keptLists {
		c.lists, c.under = nil, nil
	}
}

// Bounds of what is kept for the next pipeline, of lists and of each one's
// arguments: a storm makes megabytes of them.
const (
	keptLists = 256
	keptArgs  = 32
)
