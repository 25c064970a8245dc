package session

import (
	"context"
	"errors"
	"fmt"

	"sluice/pkg/id"
)

// Add enters a socket and its documents. Hold the socket in Local first: what
// Local does not have when the entries are written is taken back. After an
// error the entries are in doubt, and Run repairs them.
func (i *Index) Add(ctx context.Context, c Client) (err error) {
	stop := i.time("add")
	defer func() { stop(err) }()
	v := i.version()
	t := tagOf(c.Boot)
	p := i.pipe()
	key := i.keys.client(c.Socket)
	p.Do(ctx, record([]any{"hset", key}, &c, v)...)
	p.expire(ctx, key)
	i.enterLists(ctx, p, &c, t, v)
	p.enter(ctx, i.keys.nodeClients(Node{c.Replica, c.Boot}), v, c.Socket.String())
	if err := p.exec(ctx); err != nil {
		i.doubt(c)
		return fmt.Errorf("add a socket to the index: %w", err)
	}
	return i.recheck(ctx, []Client{c})
}

// enterLists puts c into the lists of its user and documents.
func (i *Index) enterLists(ctx context.Context, p pipe, c *Client, t tag, v int64) {
	m := member(c.Socket, t)
	if c.User != "" {
		p.enter(ctx, i.keys.user(c.User), v, m)
	}
	for _, d := range c.Docs {
		p.enter(ctx, i.keys.docOf(d, c.Socket), v, m)
		p.enter(ctx, i.keys.docNodes(d), v, nodeMember(c.Replica, t))
	}
}

// Remove takes a socket out of the index, with the documents in c. Drop it from
// Local first. It is final: a socket's id is never used again. After an error
// the entries are in doubt, and Run repairs them.
func (i *Index) Remove(ctx context.Context, c Client) (err error) {
	stop := i.time("remove")
	defer func() { stop(err) }()
	p := i.pipe()
	i.dropLists(ctx, p, []Client{c})
	if err := p.exec(ctx); err != nil {
		i.doubt(c)
		return fmt.Errorf("remove a socket from the index: %w", err)
	}
	return nil
}

// dropLists takes sockets out of everything. The entry in the replica's own set
// goes last, because that is where the rest is found by.
func (i *Index) dropLists(ctx context.Context, p pipe, clients []Client) {
	type docNode struct {
		doc id.Doc
		Node
	}
	versions := make(map[docNode]int64)
	self := i.self.Load()
	for n := range clients {
		c := &clients[n]
		m := member(c.Socket, tagOf(c.Boot))
		p.Do(ctx, "del", i.keys.client(c.Socket))
		if c.User != "" {
			p.Do(ctx, "zrem", i.keys.user(c.User), m)
		}
		for _, d := range c.Docs {
			p.Do(ctx, "zrem", i.keys.docOf(d, c.Socket), m)
			versions[docNode{d, Node{c.Replica, c.Boot}}] = 0
		}
	}
	for dn := range versions {
		if self != nil && dn.Node == self.Node {
			i.unhold(ctx, p, self, dn.doc)
		} else if self != nil {
			p.Do(ctx, "zrem", i.keys.docNodes(dn.doc), nodeMember(dn.Replica, tagOf(dn.Boot)))
		}
	}
	for n := range clients {
		c := &clients[n]
		p.Do(ctx, "zrem", i.keys.nodeClients(Node{c.Replica, c.Boot}), c.Socket.String())
	}
}

// unhold takes this replica off a document's list when it has no more members.
// The version is drawn before Local is asked: a join that Local did not know of
// then has a higher one.
func (i *Index) unhold(ctx context.Context, p pipe, self *local, d id.Doc) {
	v := i.version()
	if !self.truth.Holds(d) {
		p.leave(ctx, i.keys.docNodes(d), nodeMember(self.Replica, self.tag), v)
	}
}

// Join makes a socket a member of a document. Local must know it first.
func (i *Index) Join(ctx context.Context, s id.Socket, d id.Doc) (err error) {
	stop := i.time("join")
	defer func() { stop(err) }()
	v := i.version()
	node, err := i.nodeOf(ctx, s)
	if err != nil {
		return fmt.Errorf("join a document: %w", err)
	}
	t := tagOf(node.Boot)
	p := i.pipe()
	known := p.joinRecord(ctx, i.keys.client(s), d, v)
	p.enter(ctx, i.keys.docOf(d, s), v, member(s, t))
	p.enter(ctx, i.keys.docNodes(d), v, nodeMember(node.Replica, t))
	c := Client{Socket: s, Docs: []id.Doc{d}, Replica: node.Replica, Boot: node.Boot}
	if err := p.exec(ctx); err != nil {
		i.doubt(c)
		return fmt.Errorf("join a document: %w", err)
	}
	if n, err := known.Int(); err == nil && n == 0 {
		i.doubt(c) // Redis has lost the record
	}
	return i.recheck(ctx, []Client{c})
}

// Leave ends a membership. Local must have ended it first. It does not undo a
// newer join, whichever of the two reaches Redis last, and whichever of the two
// methods is called last: what counts is the order in Local.
func (i *Index) Leave(ctx context.Context, s id.Socket, d id.Doc) (err error) {
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
	if self := i.self.Load(); self != nil {
		if now, ok := self.truth.Lookup(s); ok && contains(now.Docs, d) {
			return nil // joined again since
		}
	}
	c := Client{Socket: s, Docs: []id.Doc{d}, Replica: node.Replica, Boot: node.Boot}
	p := i.pipe()
	i.leaveDocs(ctx, p, &c, v)
	if err := p.exec(ctx); err != nil {
		i.doubt(c)
		return fmt.Errorf("leave a document: %w", err)
	}
	return nil
}

// leaveDocs takes c, which stays, out of the documents that it names.
func (i *Index) leaveDocs(ctx context.Context, p pipe, c *Client, v int64) {
	m := member(c.Socket, tagOf(c.Boot))
	self := i.self.Load()
	for _, d := range c.Docs {
		p.leaveRecord(ctx, i.keys.client(c.Socket), d, v)
		p.leave(ctx, i.keys.docOf(d, c.Socket), m, v)
		if self != nil && c.Boot == self.Boot {
			i.unhold(ctx, p, self, d)
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
	p := i.pipe()
	i.dropLists(ctx, p, gone)
	for n := range left {
		i.leaveDocs(ctx, p, &left[n], v)
	}
	if err := p.exec(ctx); err != nil {
		for _, c := range append(gone, left...) {
			i.doubt(c)
		}
		return fmt.Errorf("take back entries of the index: %w", err)
	}
	i.m.repaired.Add(float64(len(gone) + len(left)))
	return nil
}
