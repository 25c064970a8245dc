package transport

import (
	"sync"
	"unicode/utf8"

	"sluice/pkg/engineio"
)

var messagePool = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

const (
	// keepMessage is how large a message buffer may be to be used again.
	keepMessage = 64 << 10
	// sparse is how long a client must have been silent, in milliseconds, for
	// its reader to be started afresh.
	sparse = 1000
)

// start lets the client be heard: by a reactor, or by a goroutine of its own.
func (l *link) start() {
	if own, ok := l.in().(*polled); ok {
		own.start()
		return
	}
	go l.loop()
}

// loop waits for the client and reads what has come, until the connection ends.
//
// A goroutine's stack grows with the first message and never becomes small
// again, but most connections are idle. So when a message came after a silence
// the reader is replaced by a fresh one; when they come fast it stays.
func (l *link) loop() {
	for {
		err := l.park()
		if err != nil {
			l.over(err)
			return
		}
		silent := l.s.srv.now() - l.s.seen.Load()
		if err = l.readAvailable(); err != nil {
			l.over(err)
			return
		}
		if silent > sparse {
			go l.loop()
			return
		}
	}
}

// park waits until there is something to read, if that can be told.
func (l *link) park() error {
	if in := l.in(); in != nil {
		return in.await()
	}
	return nil
}

// readAvailable reads the messages that have come. It waits for the rest of one
// that has begun, but not for the next; where that cannot be told apart, it
// reads one.
func (l *link) readAvailable() error {
	t := l.sit()
	buf := messagePool.Get().(*[]byte)
	defer recycle(buf)
	for again := false; ; again = true {
		if more, err := t.more(again); !more || err != nil {
			l.rise() // the library has not seen the error
			return err
		}
		if t.takeWhole(l.message) {
			continue
		}
		var binary bool
		var err error
		if *buf, binary, err = t.next(*buf); err != nil {
			l.spoil()
			return err
		}
		l.message(*buf, binary)
	}
}

// message takes one message of the client.
func (l *link) message(data []byte, binary bool) {
	s := l.s
	s.heard()
	l.s.hot().in.Add(1)
	if !binary && !utf8.Valid(data) {
		l.shut(closeFrame(closeText))
		s.lost(l, ReasonText)
		return
	}
	var pkt engineio.Packet
	var err error
	if binary {
		pkt, err = engineio.DecodeBinary(data, s.version())
	} else {
		pkt, err = engineio.DecodeText(data, s.version())
	}
	switch {
	case l.trial:
		l.tryOut(pkt, err)
	case err != nil:
		s.close(ReasonParse, gently)
	default:
		s.receive(pkt)
	}
}

// over ends the reader, and with it the link.
func (l *link) over(err error) {
	defer l.s.srv.running.Done()
	reason, code, drain := why(err)
	if code != 0 {
		l.shut(closeFrame(code))
	}
	if drain {
		l.s.lost(l, reason)
		l.drain()
	}
	l.kill()
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	if in := l.in(); in != nil {
		in.release()
	}
	l.s.lost(l, reason)
}

// maxDrain bounds how much is read only to be thrown away.
const maxDrain = 16 << 20

// drain reads and throws away, so that a client that is still sending gets to
// read why it was closed: closing a connection with unread data resets it. The
// time is bounded by the link's timer.
func (l *link) drain() {
	l.mu.Lock()
	if l.timer == nil {
		l.lingerLocked(l.s.srv.cfg.CloseTimeout)
	}
	idle := l.role == nobody
	l.mu.Unlock()
	if idle {
		l.closeWrite()
	}
	buf := feedPool.Get().(*[feedSize]byte)
	defer feedPool.Put(buf)
	for n := 0; n < maxDrain; {
		m, err := l.conn.Read(buf[:])
		if err != nil {
			return
		}
		n += m
	}
}

// closeWrite tells the client that nothing more comes.
func (l *link) closeWrite() {
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	if l.kind == overTLS {
		l.wire().CloseWrite()
	}
}
