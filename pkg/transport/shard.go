package transport

import (
	"runtime"
	"sync"
)

// shard holds some of the sessions, and the wheel that wakes them.
type shard struct {
	mu       sync.Mutex // guards what follows; innermost
	sessions map[uint64]*Session
	wheel    wheel
	shut     bool // nothing new
}

const (
	minShards = 4
	maxShards = 64
)

// shardCount is a power of two that leaves the cores room.
func shardCount() int {
	n := minShards
	for n < 2*runtime.GOMAXPROCS(0) && n < maxShards {
		n *= 2
	}
	return n
}

// shardOf spreads ids that differ in any bits.
func (v *Server) shardOf(id uint64) *shard {
	return &v.shards[v.indexOf(id)]
}

func (v *Server) indexOf(id uint64) uint64 {
	return (id * 0x9e3779b97f4a7c15) >> 32 & uint64(len(v.shards)-1)
}

// insert makes a session known, and counts what has to end before Run does: the
// session itself and extra goroutines. False: the server is leaving, or the id
// is in use.
func (v *Server) insert(s *Session, extra int, due int64) bool {
	h := v.shardOf(s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut || h.sessions[s.id] != nil {
		return false
	}
	h.sessions[s.id] = s
	h.wheel.add(s, due)
	v.running.Add(1 + extra)
	return true
}

// hold counts a goroutine to be started for a session that is known. False: the
// server is leaving.
func (v *Server) hold(s *Session) bool {
	h := v.shardOf(s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return false
	}
	v.running.Add(1)
	return true
}

// find is the session of a sid. known tells that there is one with its number,
// so that it cannot be anybody else's.
func (v *Server) find(id uint64, key *secret) (s *Session, known bool) {
	h := v.shardOf(id)
	h.mu.Lock()
	s = h.sessions[id]
	h.mu.Unlock()
	if s == nil {
		return nil, false
	}
	if !s.secret.equal(key) {
		return nil, true
	}
	return s, true
}

// wake puts a session on the wheel, unless it is there for an earlier time.
func (v *Server) wake(s *Session, due int64) {
	h := v.shardOf(s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.id] == s {
		h.wheel.add(s, due)
	}
}

// remove makes a closed session unknown. One that lingers stays known until the
// client has been told or time is up.
func (v *Server) remove(s *Session, lingers bool) {
	if !v.shardOf(s.id).remove(s, lingers) {
		s.dropPoll()
	}
}

// remove tells whether the session stays.
func (h *shard) remove(s *Session, lingers bool) (stays bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.id] != s {
		return false
	}
	if lingers && !h.shut {
		h.wheel.add(s, s.phase.until)
		return true
	}
	h.wheel.remove(s)
	delete(h.sessions, s.id)
	return false
}

// turn wakes what is due.
func (h *shard) turn(now int64, woken []*Session) []*Session {
	h.mu.Lock()
	woken = h.wheel.advance(now, woken)
	h.mu.Unlock()
	for i, s := range woken {
		s.tick(now)
		woken[i] = nil
	}
	return woken[:0]
}

// snapshot is all sessions of the shard.
func (h *shard) snapshot(to []*Session) []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		to = append(to, s)
	}
	return to
}
