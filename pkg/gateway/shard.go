package gateway

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/transport"
)

// shard holds a part of the connections and delivers to them. Which shard a
// socket belongs to is a hash of its id, and never changes.
type shard struct {
	gw   *Gateway
	jobs chan job // bounded; the worker is its only reader

	mu     sync.Mutex // guards what follows and the marked fields of the connections
	conns  map[id.Socket]*Connection
	users  roomTable
	docs   roomTable
	expiry expiry
	walked *room // that the worker is walking; nil: none
	border int   // of walked: who is before it is still to be visited

	// Owned by the worker.
	pass  pass  // at work
	chunk []ref // scratch: receivers of the pass, bounded
	batch transport.Batch
	late  []ref       // connections with ephemeral events that wait for room
	join  *time.Timer // while a pass waits for company
	m     *Metrics

	joinWait time.Duration // fixed
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
		join:  time.NewTimer(0),
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
	var more *job // taken from the queue already; all else has its turn before it, too
	always := make(chan struct{})
	close(always)
	for {
		jobs, held := s.jobs, (chan struct{})(nil)
		if more != nil {
			jobs, held = nil, always
		}
		select {
		case j := <-jobs:
			more = s.deliver(j)
		case <-held:
			more = s.deliver(*more)
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

// deliver sends a job, and those behind it that share its pass, to its receivers.
// more has been taken from the queue as well and is of the next pass.
func (s *shard) deliver(j job) (more *job) {
	more = s.gather(j)
	s.walk()
	return more
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
