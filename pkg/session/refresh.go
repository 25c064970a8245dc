package session

import (
	"context"
	"fmt"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// scope is how much of each socket is written: everything, or the times and,
// for the keys whose turn it is, their life.
type scope struct {
	all      bool
	turns    uint64 // every key has one turn in so many
	from, to uint64 // the turns since the last cycle: above from, up to to
}

var everything = scope{all: true}

// turn tells whether a key has its turn.
func (s scope) turn(hash uint64) bool {
	if s.all || s.to-s.from >= s.turns {
		return true
	}
	return (hash%s.turns+s.turns-(s.from+1)%s.turns)%s.turns < s.to-s.from
}

// writer writes the truth of many sockets with few commands: one for each
// document of a batch, whatever the number of its members. It keeps its buffers,
// so use one for a whole pass, from one goroutine.
type writer struct {
	i       *Index
	self    *local
	node    string // this process in a document's list of replicas
	set     string // the key of this replica's sockets
	written []Client
	own     []any
	args    []any // of the commands that have few, one behind the other
	docs    map[docPart]*[]any
	free    []*[]any
	touched []touched
	olds    []old
}

// touched is a list that was written without prolonging its life. When that
// added a member, the list may not have existed.
type touched struct {
	added *redis.Cmd
	key   any    // a string
	doc   id.Doc // none: it is a user's
}

type docPart struct {
	doc  id.Doc
	part int
}

func newWriter(i *Index, self *local) *writer {
	return &writer{
		i: i, self: self,
		node: nodeMember(self.Replica, self.tag),
		set:  i.keys.nodeClients(self.Node),
		docs: make(map[docPart]*[]any),
	}
}

// write writes one batch and takes back what ceased to be true in the meantime.
// A member that Redis has lost comes back by this, so each refresh repairs the
// lists; the records are looked after when they have their turn.
func (w *writer) write(ctx context.Context, sockets []id.Socket, sc scope) error {
	if len(sockets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.i.cfg.Timeout)
	defer cancel()
	v := w.i.version()
	now := w.i.now().UnixMicro()
	w.olds = w.olds[:0]
	// A socket that is held is never so old that it looks forgotten.
	oldest := now - w.i.cfg.TTL.Microseconds()/2
	p := w.i.pipe()
	w.written, w.touched, w.args = w.written[:0], w.touched[:0], w.args[:0]
	w.own = append(w.own[:0], "zadd", w.set, "gt")
	var records sheet
	var audited []*redis.StringStringMapCmd // in step with audit
	var audit []int
	for _, s := range sockets {
		c, ok := w.self.truth.Lookup(s)
		if !ok {
			continue
		}
		c.Socket, c.Replica, c.Boot = s, w.self.Replica, w.self.Boot
		// Boxed once: these are arguments of several commands.
		text := member(s, w.self.tag)
		var seen, m any = min(max(c.Seen.UnixMicro(), oldest), now), text
		turn := sc.turn(mix(uint64(s)))
		switch {
		case sc.all:
			var key any = w.i.keys.client(s)
			records.args = append(records.args, "hset", key)
			records.record(&c, v)
			_ = p.Process(ctx, records.command()) // only collects
			p.expire(ctx, key)
		case turn:
			key := w.i.keys.client(s)
			p.expire(ctx, key)
			audited = append(audited, p.HGetAll(ctx, key))
			audit = append(audit, len(w.written))
		}
		if c.User != "" {
			var key any = w.i.keys.user(c.User)
			added := p.Do(ctx, w.few("zadd", key, "gt", seen, m)...)
			if turn {
				p.expire(ctx, key)
			} else {
				w.touched = append(w.touched, touched{added, key, ""})
			}
		}
		for _, d := range c.Docs {
			w.group(docPart{d, w.i.keys.part(s)}, seen, m)
		}
		w.own = append(w.own, seen, socketText(text))
		w.written = append(w.written, c)
	}
	if len(w.written) == 0 {
		return nil
	}
	p.Do(ctx, w.own...)
	p.expire(ctx, w.set)
	w.flush(ctx, p, sc, v)
	if err := p.exec(ctx); err != nil {
		return fmt.Errorf("write entries of the index: %w", err)
	}
	for k, n := range audit {
		w.audit(&w.written[n], audited[k].Val())
	}
	if err := w.revive(ctx, v); err != nil {
		return err
	}
	if err := w.dropOld(ctx); err != nil {
		return err
	}
	return w.i.recheck(ctx, w.written)
}

// few keeps the arguments of a command with those of others: they are used until
// the pipeline has been sent.
func (w *writer) few(args ...any) []any {
	n := len(w.args)
	w.args = append(w.args, args...)
	return w.args[n:len(w.args):len(w.args)]
}

// revive looks after the lists that had lost a member.
func (w *writer) revive(ctx context.Context, v int64) error {
	p := w.i.pipe()
	for _, t := range w.touched {
		if n, err := t.added.Int(); err != nil || n == 0 {
			continue
		}
		p.expire(ctx, t.key)
		if t.doc != "" {
			p.enter(ctx, w.i.keys.docNodes(t.doc), v, w.node)
		}
	}
	if err := p.exec(ctx); err != nil {
		return fmt.Errorf("write entries of the index: %w", err)
	}
	return nil
}

// group adds a member to what is written for a document's sub-key.
func (w *writer) group(key docPart, seen, m any) {
	args := w.docs[key]
	if args == nil {
		if n := len(w.free); n > 0 {
			args, w.free = w.free[n-1], w.free[:n-1]
		} else {
			args = new([]any)
		}
		*args = append((*args)[:0], "zadd", w.i.keys.doc(key.doc, key.part), "gt")
		w.docs[key] = args
	}
	*args = append(*args, seen, m)
}

// flush adds the commands of the documents. The arguments are used until the
// pipeline has been sent, so the buffers are free for the next batch only.
func (w *writer) flush(ctx context.Context, p pipe, sc scope, v int64) {
	var used []*[]any
	limit := w.i.now().Add(-w.i.cfg.TTL)
	for key, args := range w.docs {
		added := p.Do(ctx, *args...)
		used = append(used, args)
		name := (*args)[1]
		if !sc.turn(hashOf(string(key.doc))) {
			w.touched = append(w.touched, touched{added, name, key.doc})
			continue
		}
		p.expire(ctx, name)
		p.enter(ctx, w.i.keys.docNodes(key.doc), v, w.node)
		if !sc.all {
			w.askOld(ctx, p, key, limit)
		}
	}
	clear(w.docs)
	w.free = append(w.free, used...)
}

// audit compares a record with what was written, and has it repaired when it
// differs: it was lost, or a join or leave did not reach it.
func (w *writer) audit(c *Client, fields map[string]string) {
	known, ok := parseRecord(c.Socket, fields)
	if ok && known.Boot == c.Boot && len(known.Docs) == len(c.Docs) && len(without(known, c.Docs).Docs) == 0 {
		return
	}
	w.i.doubt(union(*c, known))
}
