package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// Add enters a socket and its documents. Hold the socket in Local first: what
// Local does not have when the entries are written is taken back. After an
// error the entries are in doubt, and Run repairs them.
func (i *Index) Add(ctx context.Context, c Client) (err error) {
	defer i.m.took(opAdd, time.Now(), &err)
	p := i.group.part()
	i.entry(p, &c, i.version())
	if err := i.group.run(ctx, mix(uint64(c.Socket)), p); err != nil {
		i.doubt(c)
		return fmt.Errorf("add a socket to the index: %w", err)
	}
	p.free()
	return i.recheck(ctx, []Client{c})
}

// entry writes everything about a socket: its record, and the lists that it is in.
func (i *Index) entry(p *part, c *Client, v int64) {
	p.text = i.keys.appendClient(p.text, c.Socket)
	key := p.word()
	p.args = append(p.args, "hset", key)
	p.record(c, v)
	p.add()
	p.expire(key)
	score := p.int(v)
	i.enterLists(p, c, score)
	p.text = i.keys.appendNodeClients(p.text, Node{c.Replica, c.Boot})
	p.enter(p.word(), score, p.socket(c.Socket))
}

// enterLists puts c into the lists of its user and documents.
func (i *Index) enterLists(p *part, c *Client, score *word) {
	t := tagOf(c.Boot)
	m := p.member(c.Socket, t)
	if c.User != "" {
		// Alone: the lists of users are seldom shared with another caller's.
		p.text = i.keys.appendUser(p.text, c.User)
		key := p.word()
		p.do("zadd", key, "gt", score, m)
		p.expire(key)
	}
	if len(c.Docs) == 0 {
		return
	}
	p.text = appendNodeMember(p.text, c.Replica, t)
	node := p.word()
	for _, d := range c.Docs {
		p.text = i.keys.appendDoc(p.text, d, i.keys.part(c.Socket))
		p.enter(p.word(), score, m)
		p.text = i.keys.appendDocNodes(p.text, d)
		p.enter(p.word(), score, node)
	}
}

// Remove takes sockets out of the index, with the documents that come with them.
// Drop them from Local first. It is final: a socket's id is never used again.
// After an error the entries are in doubt, and Run repairs them.
func (i *Index) Remove(ctx context.Context, clients ...Client) (err error) {
	if len(clients) == 0 {
		return nil
	}
	stop := i.time("remove")
	defer func() { stop(err) }()
	p := i.group.part()
	i.dropLists(p, clients)
	if err := i.group.run(ctx, mix(uint64(clients[0].Socket)), p); err != nil {
		for _, c := range clients {
			i.doubt(c)
		}
		return fmt.Errorf("remove sockets from the index: %w", err)
	}
	p.free()
	return nil
}

// docNode is a process in a document's list of replicas.
type docNode struct {
	doc id.Doc
	Node
}

// dropLists takes sockets out of everything. The entries in the replicas' own
// sets go last, because that is where the rest is found by.
func (i *Index) dropLists(p *part, clients []Client) {
	p.weight = max(p.weight, len(clients))
	var docs []docNode
	for n := range clients {
		c := &clients[n]
		m := member(c.Socket, tagOf(c.Boot))
		p.do("del", i.keys.client(c.Socket))
		if c.User != "" {
			p.do("zrem", i.keys.user(c.User), m)
		}
		for _, d := range c.Docs {
			p.do("zrem", i.keys.docOf(d, c.Socket), m)
			docs = append(docs, docNode{d, Node{c.Replica, c.Boot}})
		}
	}
	i.dropNodes(p, docs)
	own := make(map[Node][]any)
	for n := range clients {
		c := &clients[n]
		node := Node{c.Replica, c.Boot}
		if own[node] == nil {
			own[node] = []any{"zrem", i.keys.nodeClients(node)}
		}
		own[node] = append(own[node], c.Socket.String())
	}
	for _, args := range own {
		p.do(args...)
	}
}

// dropNodes takes processes off the lists of documents that a member has left:
// this one if it has no more, another one because its sockets are swept.
func (i *Index) dropNodes(p *part, docs []docNode) {
	self := i.self.Load()
	if self == nil {
		return
	}
	slices.SortFunc(docs, func(a, b docNode) int {
		return cmp.Or(cmp.Compare(a.doc, b.doc), cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Boot, b.Boot))
	})
	for _, dn := range slices.Compact(docs) {
		if dn.Node == self.Node {
			i.unhold(p, self, dn.doc)
		} else {
			p.do("zrem", i.keys.docNodes(dn.doc), nodeMember(dn.Replica, tagOf(dn.Boot)))
		}
	}
}

// unhold takes this replica off a document's list when it has no more members.
// The version is drawn before Local is asked: a join that Local did not know of
// then has a higher one.
func (i *Index) unhold(p *part, self *local, d id.Doc) {
	v := i.version()
	if !self.truth.Holds(d) {
		p.leave(i.keys.docNodes(d), nodeMember(self.Replica, self.tag), v)
	}
}

// Join makes a socket a member of documents. Local must know it first.
func (i *Index) Join(ctx context.Context, s id.Socket, docs ...id.Doc) (err error) {
	stop := i.time("join")
	defer func() { stop(err) }()
	v := i.versions(len(docs)) // the order of the documents is kept
	node, err := i.nodeOf(ctx, s)
	if err != nil {
		return fmt.Errorf("join a document: %w", err)
	}
	c := Client{Socket: s, Docs: docs, Replica: node.Replica, Boot: node.Boot}
	p := i.group.part()
	var known *redis.Cmd
	for n, d := range docs {
		known = p.joinRecord(i.keys.client(s), d, v-int64(len(docs)-1-n))
	}
	i.enterLists(p, &c, p.int(v))
	if err := i.group.run(ctx, mix(uint64(s)), p); err != nil {
		i.doubt(c)
		return fmt.Errorf("join a document: %w", err)
	}
	if known != nil {
		if n, err := known.Int(); err == nil && n == 0 {
			i.doubt(c) // Redis has lost the record
		}
	}
	p.free()
	return i.recheck(ctx, []Client{c})
}

// Leave ends memberships. Local must have ended them first. It does not undo a
// newer join, whichever of the two reaches Redis last, and whichever of the two
// methods is called last: what counts is the order in Local.
func (i *Index) Leave(ctx context.Context, s id.Socket, docs ...id.Doc) (err error) {
	stop := i.time("leave")
	defer func() { stop(err) }()
	v := i.version()
	node, err := i.nodeOf(ctx, s)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leave a document: %w", err)
	}
	c := Client{Socket: s, Docs: docs, Replica: node.Replica, Boot: node.Boot}
	if self := i.self.Load(); self != nil {
		if now, ok := self.truth.Lookup(s); ok {
			c.Docs = without(c, now.Docs).Docs // not those joined again since
		}
	}
	p := i.group.part()
	i.leaveDocs(p, &c, v)
	if err := i.group.run(ctx, mix(uint64(s)), p); err != nil {
		i.doubt(c)
		return fmt.Errorf("leave a document: %w", err)
	}
	p.free()
	return nil
}

// leaveDocs takes c, which stays, out of the documents that it names.
func (i *Index) leaveDocs(p *part, c *Client, v int64) {
	m := member(c.Socket, tagOf(c.Boot))
	self := i.self.Load()
	for _, d := range c.Docs {
		p.leaveRecord(i.keys.client(c.Socket), d, v)
		p.leave(i.keys.docOf(d, c.Socket), m, v)
		if self != nil && c.Boot == self.Boot {
			i.unhold(p, self, d)
		}
	}
}

// nodeOf tells which process holds a socket: this one, or when nothing runs
// here the one that its record names.
func (i *Index) nodeOf(ctx context.Context, s id.Socket) (Node, error) {
	if self := i.self.Load(); self != nil {
		return self.Node, nil
	}
	p := i.pipe()
	boot := p.HGet(ctx, i.keys.client(s), fieldBoot)
	if err := p.exec(ctx); err != nil {
		return Node{}, err
	}
	if boot.Val() == "" {
		return Node{}, ErrNotFound
	}
	return Node{s.Replica(), boot.Val()}, nil
}

// recheck compares what was written with the truth, and takes back what is not
// true any more: it may have ended, and been removed from Redis, while it was on
// its way there. What ends after this look is removed by who ends it, and that
// comes after our write.
func (i *Index) recheck(ctx context.Context, written []Client) error {
	self := i.self.Load()
	if self == nil {
		return nil
	}
	v := i.version()
	var gone, left []Client
	for n := range written {
		w := &written[n]
		if w.Boot != self.Boot {
			continue
		}
		now, ok := self.truth.Lookup(w.Socket)
		if !ok {
			gone = append(gone, *w)
			continue
		}
		var docs []id.Doc
		for _, d := range w.Docs {
			if !contains(now.Docs, d) {
				docs = append(docs, d)
			}
		}
		if docs != nil {
			over := *w
			over.Docs = docs
			left = append(left, over)
		}
	}
	if gone == nil && left == nil {
		return nil
	}
	p := i.group.part()
	i.dropLists(p, gone)
	for n := range left {
		i.leaveDocs(p, &left[n], v)
	}
	if err := i.group.run(ctx, mix(uint64(written[0].Socket)), p); err != nil {
		for _, c := range append(gone, left...) {
			i.doubt(c)
		}
		return fmt.Errorf("take back entries of the index: %w", err)
	}
	p.free()
	i.m.repaired.Add(float64(len(gone) + len(left)))
	return nil
}
