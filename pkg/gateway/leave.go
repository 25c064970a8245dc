package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/bus"
	"sluice/pkg/reason"
	"sluice/pkg/session"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// departure is what is left to say of a connection that is gone: its
// Disconnect events, and its entries in the index.
type departure struct {
	client session.Client
	spaces []string
	reason string
}

// Closed is the transport's last call for a connection.
func (c *Connection) Closed(why transport.Reason) {
	g := c.shard.gw
	gone, was, calls := c.depart(string(why))
	g.admission.sessions.Leave(c.session.RemoteAddr())
	PutConn(c)
	hangUp(calls)
	if was {
		g.leaver.put(gone)
	}
}

// depart takes the connection out of its shard: from here on nobody finds it.
func (c *Connection) depart(why string) (departure, bool, []call) {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := c.takeCallsLocked()
	if !c.member {
		return departure{}, false, calls
	}
	gone := departure{client: c.clientLocked(), spaces: c.spacesLocked(), reason: why}
	c.member, c.main = false, false
	if c.out != nil {
		c.out.spaces, c.out.late = nil, nil
		c.tidyLocked()
	}
	s.forgetEndLocked(c)
	s.leaveAllLocked(c)
	delete(s.conns, c.id)
	return gone, true, calls
}

// handleDisconnect ends one namespace. The connection stays for a while: its
// client may connect to another one.
func (c *Connection) handleDisconnect(p socketio.Packet) error {
	if len(p.Data) > 0 {
		return errProtocol
	}
	s := c.shard
	s.mu.Lock()
	if !c.member || !c.inSpaceLocked(p.Namespace) {
		s.mu.Unlock()
		return nil
	}
	last := c.spaceCountLocked() == 1
	client := c.clientLocked()
	if !last {
		c.dropSpaceLocked(p.Namespace)
	}
	s.mu.Unlock()

	g := c.shard.gw
	if !last {
		g.disconnected(&client, p.Namespace, string(reason.ClientDisconnect), nil)
		return nil
	}
	gone, _, calls := c.depart(string(reason.ClientDisconnect))
	hangUp(calls)
	// In this goroutine and not the leaver's: a CONNECT may follow, and what it
	// writes to the index must come after.
	if owed := g.leaver.settle([]departure{gone}); len(owed) > 0 {
		// What is said later must not be about a socket that is back by then.
		c.session.Close(reason.ClientDisconnect)
		g.leaver.put(owed...)
		return nil
	}
	g.connecting.watch(c.ref(), nil)
	return nil
}

// disconnected publishes one Disconnect event. Whoever does not say what is done
// when it is settled has failures counted.
func (g *Gateway) disconnected(c *session.Client, ns, why string, done func(error)) {
	up := bus.Up{Namespace: ns, Reason: why, Docs: c.Docs, Replica: c.Replica, Boot: c.Boot}
	if done == nil {
		done = g.countFailed
	}
	if err := g.up(c.Socket, c, eventDisconnect, &up, "", done); err != nil {
		done(err)
	}
}

// leaver says what is left to say of connections that are gone, in batches and
// apart from the goroutines that closed them: thousands may leave at once.
type leaver struct {
	gw   *Gateway
	most int // that may wait
	wake chan struct{}

	mu      sync.Mutex    // guards what follows
	queue   [][]departure // in batches, so that it holds no more than what waits
	waiting int           // departures in it
	busy    int           // taken from it and not settled
}

// How the leaver works.
const (
	leaveBatch   = 256
	leaveWorkers = 4
	owedRetry    = 500 * time.Millisecond
)

func newLeaver(g *Gateway) *leaver {
	return &leaver{gw: g, most: g.cfg.MaxOwed, wake: make(chan struct{}, leaveWorkers)}
}

func (l *leaver) put(d ...departure) {
	l.mu.Lock()
	dropped := max(len(d)-max(l.most-l.waiting, 0), 0)
	l.queueLocked(d[:len(d)-dropped])
	l.mu.Unlock()
	l.gw.m.drops(dropOwed, dropped)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *leaver) queueLocked(d []departure) {
	l.waiting += len(d)
	for len(d) > 0 {
		last := len(l.queue) - 1
		if last < 0 || len(l.queue[last]) == leaveBatch {
			l.queue, last = append(l.queue, nil), last+1
		}
		n := min(leaveBatch-len(l.queue[last]), len(d))
		l.queue[last] = append(l.queue[last], d[:n]...)
		d = d[n:]
	}
}

// run settles departures until ctx ends.
func (l *leaver) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range leaveWorkers {
		workers.Go(func() { l.work(ctx) })
	}
	workers.Wait()
}

func (l *leaver) work(ctx context.Context) {
	for {
		batch := l.take()
		if len(batch) == 0 {
			select {
			case <-l.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		owed := l.settle(batch)
		if len(owed) > 0 {
			select {
			case <-time.After(owedRetry):
			case <-ctx.Done():
			}
			l.put(owed...)
		}
		l.finished(len(batch))
		if ctx.Err() != nil {
			return
		}
	}
}

func (l *leaver) take() (batch []departure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	batch, l.queue[0] = l.queue[0], nil
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	} else {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	l.waiting -= len(batch)
	l.busy += len(batch)
	return batch
}

func (l *leaver) finished(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy -= n
}

// pending counts departures not settled yet.
func (l *leaver) pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting + l.busy
}

// settle publishes the Disconnect events of a batch and then removes the
// entries of those that Kafka took; the others are returned. In this order a
// process that dies between the two leaves an entry behind that a survivor
// sweeps, and the event is never missing.
func (l *leaver) settle(batch []departure) (owed []departure) {
	type outcome struct {
		index int
		err   error
	}
	total := 0
	for _, d := range batch {
		total += len(d.spaces)
	}
	outcomes := make(chan outcome, total)
	for i := range batch {
		for _, ns := range batch[i].spaces {
			l.gw.disconnected(&batch[i].client, ns, batch[i].reason, func(err error) { outcomes <- outcome{i, err} })
		}
	}
	failed := make(map[int]error)
	for range total {
		if o := <-outcomes; o.err != nil {
			failed[o.index] = o.err
		}
	}
	said := make([]session.Client, 0, len(batch))
	var why error
	for i, d := range batch {
		if err := failed[i]; err != nil {
			owed, why = append(owed, d), err
			continue
		}
		said = append(said, d.client)
	}
	if why != nil { // once for all of them: they may be many, and tried again and again
		l.gw.log.Warn("disconnect events not taken", elog.Int("sockets", len(owed)), elog.FieldErr(why))
	}
	if len(said) > 0 {
		l.gw.indexDo("remove", func(ctx context.Context) error { return l.gw.deps.Index.Remove(ctx, said...) })
	}
	return owed
}
