package gateway

import (
	"slices"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/transport"
)

// pass is one walk over the receivers of a job, and of the jobs behind it that
// have the same receivers: what has piled up for a socket then leaves in one
// system call.
type pass struct {
	jobs   []job
	frames [forms]passFrame
}

// passFrame is what the sockets of one wire form get, made when the first of
// them is met.
type passFrame struct {
	frame  *transport.Frame // nil: nothing
	events int              // in frame
	failed int              // that this form cannot express
	made   bool
}

// Bounds of a pass, so that one that was late does not overflow the backlogs
// of clients that are not behind.
const (
	maxPassJobs  = 16
	maxPassBytes = 64 << 10
)

// gather makes a pass of j and the jobs behind it with the same receivers. more
// is the first job behind that is of another pass.
func (s *shard) gather(j job) (more *job) {
	s.pass.jobs = append(s.pass.jobs[:0], j)
	size := j.push.msg.size()
	patience := s.patience(j)
	for j.merges() && len(s.pass.jobs) < maxPassJobs {
		next, ok := s.nextJob(patience)
		if !ok {
			return nil
		}
		if size += next.push.msg.size(); size > maxPassBytes || !next.merges() || !next.sameReceivers(j) {
			return new(next)
		}
		s.pass.jobs = append(s.pass.jobs, next)
	}
	return nil
}

// manyReceivers is from where on a pass waits for company: writing to so many
// takes as long as it may wait.
const manyReceivers = 128

// patience is how long a pass waits for the next push to the same receivers.
// What is sent in a burst comes one by one from Redis, while each pass that is
// spared is a system call spared for each receiver.
func (s *shard) patience(j job) time.Duration {
	if s.joinWait == 0 || !j.merges() || s.receivers(j.push.target) < manyReceivers {
		return 0
	}
	return s.joinWait
}

// receivers is about how many sockets of the shard a target has.
func (s *shard) receivers(t id.Target) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t.Kind {
	case id.KindAll:
		return len(s.conns)
	case id.KindDoc, id.KindUser:
		if r := s.roomLocked(t); r != nil {
			return r.size()
		}
	}
	return 0
}

// nextJob returns the next job if there is one within patience.
func (s *shard) nextJob(patience time.Duration) (next job, ok bool) {
	select {
	case next = <-s.jobs:
		return next, true
	default:
	}
	if patience == 0 {
		return job{}, false
	}
	s.join.Reset(patience)
	defer s.join.Stop()
	select {
	case next = <-s.jobs:
		return next, true
	case <-s.join.C:
		return job{}, false
	}
}

// merges tells whether the job may be part of a larger pass: every receiver
// gets it, whatever else it got.
func (j job) merges() bool {
	p := j.push
	return p.durable && !p.multi && j.slots <= 1 && p.filter.unqualified && len(p.filter.except) == 0
}

func (j job) sameReceivers(other job) bool {
	return j.push.target == other.push.target && j.push.msg.ns == other.push.msg.ns
}

// passChunk is how many receivers are listed before they are written to: what a
// push to everybody takes in memory does not depend on how many there are.
const passChunk = 256

// walk sends the pass to its receivers, chunk by chunk: they are listed with the
// lock held and written to without, so that a join never waits for a system
// call. Whoever joins meanwhile may or may not be among them; whoever is a
// member all the time is, once.
func (s *shard) walk() {
	s.mu.Lock()
	switch t := s.pass.jobs[0].push.target; t.Kind {
	case id.KindAll:
		for _, c := range s.conns {
			s.receiveLocked(c)
		}
	case id.KindSocket:
		if c := s.conns[s.pass.jobs[0].push.socket]; c != nil {
			s.receiveLocked(c)
		}
	default:
		s.walkRoomLocked(s.roomLocked(t), s.receiveLocked)
	}
	s.mu.Unlock()
	s.write()
	for _, j := range s.pass.jobs {
		j.push.done()
	}
	clear(s.pass.jobs) // hold no push between passes
	clear(s.pass.frames[:])
}

// walkRoomLocked goes from the last member to the first. Before the border are
// those who are still to be visited: removeLocked keeps it so while the lock is
// free, so that nobody is passed over or visited twice.
func (s *shard) walkRoomLocked(r *room, visit func(*Connection)) {
	if r == nil {
		return
	}
	s.walked, s.border = r, r.size()
	for s.border > 0 {
		s.border--
		visit(r.at(s.border))
	}
	s.walked = nil
}

// receiveLocked lists c if it is a receiver. The lock is free for a while when a
// chunk is full.
func (s *shard) receiveLocked(c *Connection) {
	j := s.pass.jobs[0]
	p := j.push
	if !c.inSpaceLocked(p.msg.ns) || !p.filter.passes(c.id, c.who.traits) {
		return
	}
	if j.slots > 1 && slotOf(c.id, j.slots) != j.slot {
		return
	}
	if p.multi && c.seenLocked(p.mid) {
		return
	}
	s.chunk = append(s.chunk, c.ref())
	if len(s.chunk) == passChunk {
		s.mu.Unlock()
		s.write()
		s.mu.Lock()
	}
}

// write sends the pass to the receivers that are listed.
func (s *shard) write() {
	for _, r := range s.chunk {
		f := s.passFrame(r.form)
		s.m.drops(dropEncode, f.failed)
		switch j := s.pass.jobs[0]; {
		case f.frame == nil:
		case j.push.durable:
			s.m.sent(r.sendIn(&s.batch, f.frame), f.events)
		default:
			s.sendLatest(r, j.push, f.frame)
		}
	}
	s.batch.Flush()
	clear(s.chunk) // hold no connection between passes
	s.chunk = s.chunk[:0]
}

// passFrame is the pass in one wire form.
func (s *shard) passFrame(form wireForm) *passFrame {
	f := &s.pass.frames[form]
	if f.made {
		return f
	}
	f.made = true
	frames := make([]*transport.Frame, 0, len(s.pass.jobs))
	for _, j := range s.pass.jobs {
		one, err := j.push.msg.frame(form)
		if err != nil {
			f.failed++
			continue
		}
		frames = append(frames, one)
	}
	if f.events = len(frames); f.events > 0 {
		f.frame = transport.Join(slices.Clip(frames)...)
	}
	return f
}
