package gateway

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/id"
)

// shard holds a part of the connections and delivers to them. Which shard a
// socket belongs to is a hash of its id, and never changes.
type shard struct {
	jobs chan job // bounded; the worker is its only reader

	mu     sync.Mutex // guards what follows and the marked fields of the connections
	conns  map[id.Socket]*Connection
	rooms  map[id.Target]*room
	expiry expiry

	// Owned by the worker.
	batch []ref // scratch: the receivers of the job at hand
	late  []ref // connections with ephemeral events that wait for room
	m     *Metrics
}

// job is one push for the members of one shard, or for those of one slot when
// the push is spread over a window.
type job struct {
	push        *push
	slot, slots uint32
}

func newShard(queue int, m *Metrics) *shard {
	return &shard{
		jobs:  make(chan job, queue),
		conns: make(map[id.Socket]*Connection),
		rooms: make(map[id.Target]*room),
		m:     m,
	}
}

// run delivers until ctx ends. What is queued then stays undelivered: by that
// time the gateway has closed its sockets.
func (s *shard) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	defer retry.Stop()
	waiting := false
	for {
		select {
		case j := <-s.jobs:
			s.deliver(j)
		case <-retry.C:
			waiting = false
			s.retryLate(time.Now())
		case <-ctx.Done():
			return
		}
		if len(s.late) > 0 && !waiting {
			retry.Reset(lateRetry)
			waiting = true
		}
	}
}

// deliver sends one job to its receivers. They are listed under the lock and
// written to after it, so that a join never waits for a system call.
func (s *shard) deliver(j job) {
	s.collect(j)
	for _, r := range s.batch {
		f, err := j.push.msg.frame(r.form)
		if err != nil {
			s.m.drop(dropEncode)
			continue
		}
		if j.push.durable {
			s.m.sent(r.send(f))
		} else {
			s.sendLatest(r, j.push, f)
		}
	}
	clear(s.batch) // hold no connection between jobs
	s.batch = s.batch[:0]
	j.push.done()
}

// collect lists the receivers of a job in s.batch.
func (s *shard) collect(j job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := j.push.target; t.Kind {
	case id.KindAll:
		for _, c := range s.conns {
			s.receiveLocked(c, j)
		}
	case id.KindSocket:
		if c := s.conns[j.push.socket]; c != nil {
			s.receiveLocked(c, j)
		}
	default:
		if r := s.rooms[t]; r != nil {
			for i := range r.members {
				s.receiveLocked(r.members[i].conn, j)
			}
		}
	}
}

func (s *shard) receiveLocked(c *Connection, j job) {
	p := j.push
	if !c.inSpaceLocked(p.msg.ns) || !p.filter.passes(c.id, &c.identity) {
		return
	}
	if j.slots > 1 && slotOf(c.id, j.slots) != j.slot {
		return
	}
	if p.multi && c.seenLocked(p.mid) {
		return
	}
	s.batch = append(s.batch, c.ref())
}

// find returns a reference to a connected socket.
func (s *shard) find(socket id.Socket) (ref, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	if c == nil {
		return ref{}, false
	}
	return c.ref(), true
}

// mix spreads ids, whose low bits are a sequence, over the whole range.
func mix(s id.Socket) uint32 { return uint32(uint64(s) * 0x9e3779b97f4a7c15 >> 32) }

// slotOf says in which part of a window a socket gets a spread push.
func slotOf(s id.Socket, slots uint32) uint32 { return (mix(s) >> 8) % slots }
