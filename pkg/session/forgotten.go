package session

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// Entries that nobody refreshes are left by changes whose outcome was unknown,
// and by a Redis that went back to an older state. Here they are found.

// maxOld is how many old members of a document are looked at in one turn.
const maxOld = 100

// old asks for the members of a document that were not refreshed for long.
type old struct {
	docPart
	members, nodes *redis.StringSliceCmd
}

func (w *writer) askOld(ctx context.Context, p pipe, key docPart, limit time.Time) {
	by := &redis.ZRangeBy{Min: "-inf", Max: formatScore(limit), Count: maxOld}
	w.olds = append(w.olds, old{
		docPart: key,
		members: p.ZRangeByScore(ctx, w.i.keys.doc(key.doc, key.part), by),
		nodes:   p.ZRangeByScore(ctx, w.i.keys.docNodes(key.doc), by),
	})
}

// dropOld removes old members that have no owner. Age alone is no proof, for
// clocks differ: those of a living replica are left to itself, those of a dead
// one to the sweep.
func (w *writer) dropOld(ctx context.Context) error {
	var n *nodes
	p := w.i.pipe()
	for _, o := range w.olds {
		if len(o.members.Val())+len(o.nodes.Val()) == 0 {
			continue
		}
		if n == nil {
			var err error
			if n, err = w.i.nodes(ctx, w.i.cfg.NodesFor); err != nil {
				return err
			}
		}
		for _, text := range o.members.Val() {
			s, t, ok := parseMember(text)
			switch {
			case ok && t == w.self.tag && s.Replica() == w.self.Replica:
				if c, held := w.self.truth.Lookup(s); !held || !contains(c.Docs, o.doc) {
					w.i.doubt(Client{Socket: s, Docs: []id.Doc{o.doc}, Replica: w.self.Replica, Boot: w.self.Boot})
				}
			case !ok || !n.listed(holder{s.Replica(), t}):
				p.Do(ctx, "zrem", w.i.keys.doc(o.doc, o.part), text)
			}
		}
		for _, text := range o.nodes.Val() {
			if h, ok := parseNodeMember(text); !ok || !n.listed(h) {
				p.Do(ctx, "zrem", w.i.keys.docNodes(o.doc), text)
			}
		}
	}
	if err := p.exec(ctx); err != nil {
		return fmt.Errorf("remove forgotten entries of the index: %w", err)
	}
	return nil
}

// dropForgotten has those sockets repaired that Redis has in this replica's set
// and that were not refreshed since the time: they are not here any more.
func (i *Index) dropForgotten(ctx context.Context, self *local, since time.Time) error {
	for offset := int64(0); ; offset += int64(i.cfg.Batch) {
		page, err := i.unseen(ctx, self, since, offset)
		if err != nil {
			return err
		}
		for _, text := range page {
			s, err := id.ParseSocket(text)
			if err != nil {
				continue
			}
			if _, ok := self.truth.Lookup(s); !ok {
				i.doubt(Client{Socket: s, Replica: self.Replica, Boot: self.Boot})
			}
		}
		if len(page) < i.cfg.Batch {
			return nil
		}
	}
}

// unseen reads a page of this replica's set, of what is older than since.
func (i *Index) unseen(ctx context.Context, self *local, since time.Time, offset int64) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	p := i.pipe()
	cmd := p.ZRangeByScore(ctx, i.keys.nodeClients(self.Node), &redis.ZRangeBy{
		Min: "-inf", Max: "(" + formatScore(since), Offset: offset, Count: int64(i.cfg.Batch),
	})
	if err := p.exec(ctx); err != nil {
		return nil, fmt.Errorf("look for forgotten sockets: %w", err)
	}
	return cmd.Val(), nil
}

func formatScore(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
