package edge

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// spare is a file descriptor that is kept for when there is none left: given up
// for a moment, it lets one connection be taken and closed, instead of leaving
// clients in a queue that nobody looks at. Owned by the accepting goroutine.
type spare struct {
	file    *os.File // nil when it could not be had back
	backoff time.Duration
	said    time.Time // when it was last logged
}

const (
	shedWait   = 20 * time.Millisecond // for a connection that waits already
	maxBackoff = time.Second
	sayEvery   = 10 * time.Second
)

func newSpare() *spare {
	s := &spare{}
	s.back()
	return s
}

func (s *spare) back() {
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull) // without it there is only waiting
	}
}

func (s *spare) drop() {
	if s.file != nil {
		_ = s.file.Close() // opened for nothing else
		s.file = nil
	}
}

// outOfFiles tells whether accepting failed for want of something that comes
// back by itself.
func outOfFiles(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// shed closes one connection that waits, or waits itself.
func (l *Listener) shed(err error) {
	s := l.spare
	if now := time.Now(); now.Sub(s.said) >= sayEvery {
		s.said = now
		l.log.Error("client port: connections are refused", elog.FieldErr(err), elog.Int("open", l.table.Total()))
	}
	if s.file != nil {
		s.drop()
		if l.shedOne() {
			s.backoff = 0
			s.back()
			return
		}
	}
	s.backoff = min(max(2*s.backoff, 5*time.Millisecond), maxBackoff)
	timer := time.NewTimer(s.backoff)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	}
	s.back()
}

func (l *Listener) shedOne() bool {
	if l.inner.SetDeadline(time.Now().Add(shedWait)) != nil {
		return false
	}
	tcp, err := l.inner.AcceptTCP()
	if l.inner.SetDeadline(time.Time{}) != nil || err != nil {
		return false
	}
	l.m.refused.WithLabelValues(string(NoFiles)).Inc()
	_ = tcp.SetLinger(0) // closed at once
	_ = tcp.Close()      // it was not wanted
	return true
}
