package session

import (
	"context"
	"fmt"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// maxDirty bounds the sockets in doubt that are remembered one by one. Beyond
// that everything is written again.
const maxDirty = 1 << 14

// doubt notes that the entries of a socket may be wrong, because a change failed
// or its outcome is unknown. c carries what may have to be removed.
func (i *Index) doubt(c Client) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.doubtLocked(c)
}

func (i *Index) doubtLocked(c Client) {
	old, ok := i.dirty[c.Socket]
	if !ok && len(i.dirty) >= maxDirty {
		select {
		case i.flood <- struct{}{}:
		default:
		}
		return
	}
	i.dirty[c.Socket] = union(c, old)
	i.m.dirty.Set(float64(len(i.dirty)))
}

// union returns a with what only b knows: the user, and more documents.
func union(a, b Client) Client {
	if a.User == "" {
		a.User = b.User
	}
	docs := append([]id.Doc(nil), a.Docs...)
	for _, d := range b.Docs {
		if !contains(docs, d) {
			docs = append(docs, d)
		}
	}
	a.Docs = docs
	return a
}

// takeDirty takes up to a batch of the sockets in doubt.
func (i *Index) takeDirty() []Client {
	i.mu.Lock()
	defer i.mu.Unlock()
	var batch []Client
	for s, c := range i.dirty {
		if len(batch) == i.cfg.Batch {
			break
		}
		batch = append(batch, c)
		delete(i.dirty, s)
	}
	i.m.dirty.Set(float64(len(i.dirty)))
	return batch
}

// repair puts right the entries of sockets in doubt: whatever Redis has of them
// becomes what Local has.
func (i *Index) repair(ctx context.Context, self *local) {
	for ctx.Err() == nil {
		batch := i.takeDirty()
		if len(batch) == 0 {
			return
		}
		if err := i.repairBatch(ctx, self, batch); err != nil {
			for _, c := range batch {
				i.doubt(c)
			}
			if ctx.Err() == nil {
				i.log.Warn("repair of the index failed, will be tried again", elog.FieldErr(err), elog.Int("sockets", len(batch)))
			}
			return
		}
		i.m.repaired.Add(float64(len(batch)))
	}
}

func (i *Index) repairBatch(ctx context.Context, self *local, batch []Client) (err error) {
	stop := i.time("repair")
	defer func() { stop(err) }()
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	sockets := make([]id.Socket, len(batch))
	for n := range batch {
		sockets[n] = batch[n].Socket
	}
	records, err := i.records(ctx, sockets)
	if err != nil {
		return fmt.Errorf("repair entries of the index: %w", err)
	}
	var gone []Client
	var held []id.Socket
	p := i.group.part()
	for n, s := range sockets {
		known := union(batch[n], records[n])
		known.Replica, known.Boot = self.Replica, self.Boot
		v := i.version()
		truth, ok := self.truth.Lookup(s)
		if !ok {
			gone = append(gone, known)
			continue
		}
		held = append(held, s)
		i.leaveDocs(p, without(known, truth.Docs), v)
	}
	i.dropLists(p, gone)
	if err := i.group.run(ctx, mix(uint64(sockets[0])), p); err != nil {
		return fmt.Errorf("repair entries of the index: %w", err)
	}
	p.free()
	return newWriter(i, self).write(ctx, held, everything)
}

// without returns c with only those documents that are not in docs.
func without(c Client, docs []id.Doc) *Client {
	var rest []id.Doc
	for _, d := range c.Docs {
		if !contains(docs, d) {
			rest = append(rest, d)
		}
	}
	c.Docs = rest
	return &c
}
