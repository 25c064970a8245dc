package transport

import (
	"errors"
	"net"
	"time"
)

// send writes b, or queues it behind what waits.
func (l *link) send(b []byte, volatile bool) error {
	mine, err := l.claim(b, volatile)
	if mine {
		l.writeOut(b)
	}
	return err
}

// claim takes the role for b, or queues b for who has it. mine means that the
// caller has to write b.
func (l *link) claim(b []byte, volatile bool) (mine bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return false, ErrClosed
	case l.role == nobody:
		l.role = caller
		return true, nil
	case volatile && (l.queue != nil || l.role == flusher):
		return false, ErrBehind
	case l.queue != nil && l.s.srv.behind(l.queue.behind()):
		return false, ErrSlow
	}
	l.pushLocked(b)
	return false, nil
}

// put is send without a bound, for the few small frames that are our own; last
// means that nothing may follow. After that it does nothing.
func (l *link) put(b []byte, last bool) {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	l.ended = last
	if l.role != nobody {
		l.pushLocked(b)
		l.mu.Unlock()
		return
	}
	l.role = caller
	l.mu.Unlock()
	l.writeOut(b)
}

// take takes the role if it is free.
func (l *link) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.role != nobody || l.dead {
		return false
	}
	l.role = caller
	return true
}

// push queues b for who has the role.
func (l *link) push(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.pushLocked(b)
	}
}

func (l *link) pushLocked(b []byte) {
	if l.queue == nil {
		l.queue = queuePool.Get().(*queue)
	}
	l.queue.push(b)
	l.countLocked(len(b))
}

// countLocked keeps the sum of all queues.
func (l *link) countLocked(n int) {
	l.s.hot().backlog.Add(int64(n))
}

// writeOut writes b, with the role, and then whatever has been queued meanwhile.
func (l *link) writeOut(b []byte) {
	n, full, err := l.try(b)
	l.wrote(b, n, full, err)
}

// wrote goes on after n bytes of b were written.
func (l *link) wrote(b []byte, n int, full bool, err error) {
	l.mu.Lock()
	if n < len(b) && err == nil && !l.dead {
		l.queueFirstLocked(b[n:])
	}
	l.goOnLocked(full, err)
}

// queueFirstLocked puts the rest of a frame before what has been queued while
// it was being written.
func (l *link) queueFirstLocked(rest []byte) {
	if l.queue == nil {
		l.pushLocked(rest)
		return
	}
	l.pushLocked(nil)
	q := l.queue
	copy(q.items[q.head+1:], q.items[q.head:])
	q.items[q.head] = rest
	q.bytes += len(rest)
	l.countLocked(len(rest))
}

// begin writes what has been queued while the role was held back (since newLink
// or take) and gives it up.
func (l *link) begin() {
	l.mu.Lock()
	l.goOnLocked(false, nil)
}

// maxRounds bounds how long a caller of Send works for others.
const maxRounds = 4

// goOnLocked writes the queue until it is empty or the kernel takes no more,
// then gives the role back or on. It unlocks.
func (l *link) goOnLocked(full bool, err error) {
	var buf *[chunkSize]byte
	for round := 0; l.queue != nil && !full && err == nil && !l.dead; round++ {
		if l.kind == overAny || round == maxRounds {
			full = true
			break
		}
		if buf == nil {
			buf = chunkPool.Get().(*[chunkSize]byte)
		}
		chunk := l.queue.chunk(buf[:])
		l.mu.Unlock()
		var n int
		n, full, err = l.try(chunk)
		l.mu.Lock()
		l.advanceLocked(n)
	}
	if buf != nil {
		chunkPool.Put(buf)
	}
	if l.kind == overTLS && l.wire().behind() {
		full = true // or crypto/tls has written by itself, and found the role taken
	}
	if full && err == nil && !l.dead {
		l.role = flusher
		l.s.srv.running.Add(1)
		l.mu.Unlock()
		go l.flush()
		return
	}
	l.giveBackLocked(err)
}

// advanceLocked takes off the queue what has been written.
func (l *link) advanceLocked(n int) {
	if l.queue == nil || n == 0 {
		return
	}
	l.countLocked(-n)
	if l.queue.advance(n) {
		l.queue.release()
		l.queue = nil
	}
}

// giveBackLocked ends the role: the link is idle, or beyond use. It unlocks.
func (l *link) giveBackLocked(err error) {
	l.role = nobody
	if err != nil || l.dead {
		l.dead, l.ended = true, true
		l.dropLocked()
		l.mu.Unlock()
		l.conn.Close() // wakes the reader, which tells the session
		return
	}
	flushed := l.ended && !l.told
	l.told = l.told || flushed
	l.mu.Unlock()
	if flushed {
		l.s.flushed(l)
	}
}

func (l *link) dropLocked() {
	if l.queue != nil {
		l.countLocked(-l.queue.bytes)
		l.queue.release()
		l.queue = nil
	}
}

// try writes without waiting. full means that the kernel takes no more; what
// has been written is n bytes of b even then.
func (l *link) try(b []byte) (n int, full bool, err error) {
	switch l.kind {
	case overTCP:
		n, err = writeNow(int(l.fd), b)
		return n, n < len(b), err
	case overTLS:
		b = b[:min(len(b), chunkSize)]
		n, err = l.conn.Write(b)
		return n, l.wire().behind(), err
	}
	return 0, true, nil
}

// flushSoon starts the flusher for what crypto/tls has written by itself, if
// nobody is writing anyway.
func (l *link) flushSoon() {
	l.mu.Lock()
	if l.role != nobody || l.dead {
		l.mu.Unlock()
		return
	}
	l.goOnLocked(true, nil)
}

// flush is the goroutine that has the role while the client is behind.
func (l *link) flush() {
	defer l.s.srv.running.Done()
	buf := chunkPool.Get().(*[chunkSize]byte)
	defer chunkPool.Put(buf)
	timeout := l.s.srv.cfg.WriteTimeout
	l.mu.Lock()
	for {
		var chunk []byte
		if l.queue != nil {
			chunk = l.queue.chunk(buf[:])
		}
		if l.dead || (chunk == nil && (l.kind != overTLS || !l.wire().behind())) {
			break
		}
		l.mu.Unlock()
		n, err := l.writeWaiting(chunk, timeout)
		l.mu.Lock()
		l.advanceLocked(n)
		if err != nil {
			l.stuckLocked(err)
			return
		}
	}
	l.giveBackLocked(nil)
}

// stuckLocked ends the flusher's role after an error. A client that takes
// nothing for too long is slow; everything else the reader finds out. It
// unlocks.
func (l *link) stuckLocked(err error) {
	var e net.Error
	if !l.dead && errors.As(err, &e) && e.Timeout() {
		l.mu.Unlock()
		l.forget()
		l.s.lost(l, ReasonSlow)
		l.mu.Lock()
	}
	l.giveBackLocked(err)
}

// writeWaiting writes some of b, however long that takes within timeout.
func (l *link) writeWaiting(b []byte, timeout time.Duration) (n int, err error) {
	switch l.kind {
	case overTLS:
		if err = l.wire().flush(timeout); err != nil || len(b) == 0 {
			return 0, err
		}
		return l.conn.Write(b[:min(len(b), chunkSize)])
	case overTCP:
		var failed error
		err = l.in().untilRoom(time.Now().Add(timeout), func(uintptr) bool {
			n, failed = writeNow(int(l.fd), b)
			return n > 0 || failed != nil
		})
		if err == nil {
			err = failed
		}
		return n, err
	}
	l.conn.SetWriteDeadline(time.Now().Add(timeout)) // what cannot do that is bounded by the heartbeat
	return l.conn.Write(b)
}
