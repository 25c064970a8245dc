package transport

import (
	"errors"
	"net"
	"sync"
	"time"
)

// wire is a TCP connection below TLS. Until it is taken over it is nothing but
// the TCP connection. Then its Write takes everything at once: what the kernel
// does not take waits here, as records cannot be taken back; the link above
// stops writing while something waits, so that it is one chunk at most.
type wire struct {
	carrier
	in   intake     // nil until taken over
	link *link      // above TLS
	mu   sync.Mutex // guards what follows; held over system calls that do not wait
	pend []byte
	fd   int32
	gone bool
}

// maxPend is more than the records of one chunk take.
const maxPend = 4 * chunkSize

var errPend = errors.New("transport: records pile up")

// takeOver switches to writing without waiting, and to the server's reactor if
// there is one. It is false where that does not work.
func (w *wire) takeOver(l *link) bool {
	if from, ok := w.carrier.(giver); ok && l.s.srv.reactor != nil {
		if fd, closed := from.TakeSocket(); fd >= 0 {
			x, err := l.s.srv.reactor.adopt(l, fd, closed)
			if err != nil {
				return false // the carrier is gone, as the next one to read or write finds
			}
			w.switchTo(x, x, fd, l)
			return true
		}
	}
	tcp, closed := detached(w.carrier)
	if tcp == nil {
		return false
	}
	conn, in, fd, err := l.adopt(tcp, closed)
	if in == nil || err != nil {
		w.carrier = conn
		return false
	}
	w.switchTo(conn, in, fd, l)
	return true
}

// NetConn is the connection below.
func (w *wire) NetConn() net.Conn { return w.carrier }

func (w *wire) switchTo(c carrier, in intake, fd int, l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.carrier, w.fd, w.in, w.link = c, int32(fd), in, l
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.in == nil {
		return w.carrier.Read(p)
	}
	return w.in.Read(p)
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	if w.in == nil {
		return w.carrier.Write(p)
	}
	waits, err := w.write(p)
	if err != nil {
		return 0, err
	}
	if waits {
		w.link.flushSoon()
	}
	return len(p), nil
}

func (w *wire) write(p []byte) (waits bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return false, net.ErrClosed
	}
	if len(w.pend) == 0 {
		n, err := writeNow(int(w.fd), p)
		if err != nil {
			return false, err
		}
		if p = p[n:]; len(p) == 0 {
			return false, nil
		}
	}
	if len(w.pend)+len(p) > maxPend {
		return false, errPend
	}
	w.pend = append(w.pend, p...)
	return true, nil
}

// behind tells that something waits.
func (w *wire) behind() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pend) > 0
}

// flush waits until nothing waits any more. Called by the link's flusher only.
func (w *wire) flush(timeout time.Duration) error {
	for w.behind() {
		var failed error
		err := w.in.untilRoom(time.Now().Add(timeout), func(uintptr) bool {
			var n int
			n, failed = w.flushNow()
			return n > 0 || failed != nil
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flushNow writes what the kernel takes of what waits.
func (w *wire) flushNow() (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return 0, net.ErrClosed
	}
	n, err = writeNow(int(w.fd), w.pend)
	if w.pend = w.pend[n:]; len(w.pend) == 0 {
		w.pend = nil
	}
	return n, err
}

// SetWriteDeadline implements net.Conn. crypto/tls sets one around its last
// words, which do not wait either.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.in != nil {
		return nil
	}
	return w.carrier.SetWriteDeadline(t)
}

// Close implements net.Conn. The lock keeps the descriptor from being closed,
// and used again for something else, between look and write.
func (w *wire) Close() error {
	w.mu.Lock()
	w.gone, w.pend = true, nil
	w.mu.Unlock()
	return w.carrier.Close()
}
