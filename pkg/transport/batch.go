package transport

import (
	"errors"
	"runtime"

	"github.com/gotomicro/ego/core/elog"
)

// Batch sends to many sessions with few system calls, where the kernel has
// io_uring and lets it be used; elsewhere it sends to one after the other. The
// zero value is ready. One goroutine uses it, and it holds nothing after Flush.
type Batch struct {
	srv  *Server
	jobs []sending
}

// sending is one write of a batch: its link's role is held until it has ended.
type sending struct {
	l   *link
	b   []byte
	fd  int32
	n   int   // written
	err error // the connection is beyond use
}

// Send is Session.Send, but what it sends may leave as late as at the next
// Flush. All sessions are of one server.
func (t *Batch) Send(s *Session, f *Frame) error { return s.refused(t.send(s, f, false)) }

// SendVolatile is Session.SendVolatile in the same way.
func (t *Batch) SendVolatile(s *Session, f *Frame) error { return t.send(s, f, true) }

func (t *Batch) send(s *Session, f *Frame, volatile bool) error {
	l := s.link.Load()
	if l == nil || l.kind != overTCP || s.srv.rings == nil {
		return s.send(f, volatile)
	}
	b := l.encoded(f)
	mine, err := l.claim(b, volatile)
	if err != nil {
		return err
	}
	s.hot().out.Add(int64(f.packets))
	if mine {
		t.srv = s.srv
		t.jobs = append(t.jobs, sending{l: l, b: b, fd: l.fd})
		if len(t.jobs) == ringSize {
			t.Flush()
		}
	}
	return nil
}

// Flush sends what has not left yet.
func (t *Batch) Flush() {
	if len(t.jobs) == 0 {
		return
	}
	t.srv.sendAll(t.jobs)
	for i := range t.jobs {
		j := &t.jobs[i]
		j.l.wrote(j.b, j.n, j.n < len(j.b), j.err)
	}
	clear(t.jobs)
	t.jobs = t.jobs[:0]
}

// worthRing is for how many writes a ring is cheaper than as many calls.
const worthRing = 4

// sendAll writes without waiting. Rings are few, and whoever finds none writes
// by itself.
func (v *Server) sendAll(jobs []sending) {
	if len(jobs) >= worthRing {
		select {
		case r := <-v.rings:
			err := r.send(jobs)
			if err == nil {
				v.rings <- r
				return
			}
			v.log.Warn("an io_uring is given up: pushes are written one after the other", elog.FieldErr(err))
			r.close()
			return
		default:
		}
	}
	for i := range jobs {
		j := &jobs[i]
		j.n, j.err = writeNow(int(j.fd), j.b)
	}
}

// openRings is nil where there are none, or none are to be had.
func (v *Server) openRings() chan *ring {
	rings := make(chan *ring, runtime.GOMAXPROCS(0))
	for range cap(rings) {
		r, err := newRing()
		if err != nil {
			if !errors.Is(err, errors.ErrUnsupported) && v.cfg.Writer == writerRing {
				v.log.Warn("no io_uring: pushes are written one after the other", elog.FieldErr(err))
			}
			closeRings(rings)
			return nil
		}
		rings <- r
	}
	return rings
}

// closeRings closes those that nobody uses. Others end with the process.
func closeRings(rings chan *ring) {
	for {
		select {
		case r := <-rings:
			r.close()
		default:
			return
		}
	}
}
