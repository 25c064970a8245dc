package edge

import (
	"errors"
	"os"
	"slices"
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
	shortest   = 5 * time.Millisecond
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
	return isOne(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM)
}

// ofOneConnection tells whether accepting failed for what is wrong with the
// connection, and not with the listener: a rule of a firewall, or errors of the
// network (accept(2), "Error handling"). Ending for it would end it for all.
func ofOneConnection(err error) bool {
	return isOne(err, syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH)
}

func isOne(err error, of ...syscall.Errno) bool {
	var e syscall.Errno
	return errors.As(err, &e) && slices.Contains(of, e)
}

// shed closes one connection that waits, or waits itself.
func (l *Listener) shed(err error) {
	l.say("client port: connections are refused", err)
	s := l.spare
	if s.file != nil {
		s.drop()
		if l.shedOne() {
			s.backoff = 0
			s.back()
			return
		}
	}
	s.backoff = min(max(2*s.backoff, shortest), maxBackoff)
	l.pause(s.backoff)
	s.back()
}

// skip goes on after a connection that could not be taken. If that is so of all
// of them it takes its time.
func (l *Listener) skip(err error) {
	l.say("client port: a connection could not be accepted", err)
	l.pause(shortest)
}

// say logs, though not each time.
func (l *Listener) say(what string, err error) {
	if now := time.Now(); now.Sub(l.spare.said) >= sayEvery {
		l.spare.said = now
		l.log.Error(what, elog.FieldErr(err), elog.Int("open", l.table.Total()))
	}
}

// pause waits, until the listener is closed at most.
func (l *Listener) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	}
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
