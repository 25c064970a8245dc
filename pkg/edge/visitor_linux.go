package edge

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// visitor is a connection at a door: a descriptor, and what is known of it.
type visitor struct {
	d      *door
	fd     int
	number int32 // tells it from others that have had the descriptor
	peer   netip.AddrPort
	client netip.AddrPort // the peer, or whom a proxy speaks for
	place  atomic.Pointer[Place]
	behind bool      // a PROXY header comes first
	due    time.Time // guarded by door.mu while it waits
	line   *line     // what it is for its handshake; nil: it is not in one
}

// close ends the connection.
func (v *visitor) close() {
	_ = syscall.Close(v.fd) // nobody else has it
	if p := v.place.Swap(nil); p != nil {
		p.Leave()
	}
}

// abort closes the connection without a word, which leaves nothing of it in the
// kernel either.
func (v *visitor) abort() {
	linger := syscall.Linger{Onoff: 1}
	_ = syscall.SetsockoptLinger(v.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &linger) // it is closed all the same
	v.close()
}

// late is called when a visitor need not wait any longer. One that is being
// served learns it, and ends by itself.
func (v *visitor) late() {
	if v.line != nil {
		v.line.late.Store(true)
		v.line.signal()
		return
	}
	v.close()
}

// forget ends watching. Whoever has the connection then watches it himself.
func (v *visitor) forget() {
	_ = v.d.set.Remove(v.fd) // at worst it is found that nobody waits there
}

// take gives the descriptor away, and what to call when it has been closed.
func (v *visitor) take() (fd int, closed func()) { return v.fd, v.place.Swap(nil).leaver() }

// conn makes a net.Conn of the descriptor, which is not used any more then. It
// begins with what has been read, to the PROXY header.
func (v *visitor) conn(early []byte) (*Conn, error) {
	v.forget()
	f := os.NewFile(uintptr(v.fd), "client")
	c, err := net.FileConn(f)
	_ = f.Close() // c has a duplicate
	place := v.place.Swap(nil)
	if err != nil {
		place.Leave()
		return nil, err
	}
	made := &Conn{
		TCPConn: c.(*net.TCPConn), slot: slot{port: v.d.l.Port}, l: v.d.l, behind: v.behind,
		early: slices.Clone(early),
	}
	made.place.Store(place)
	return made, nil
}

// hijack is conn for a visitor whose header, if there was one, has been read.
func (v *visitor) hijack() (net.Conn, error) { return v.known(nil) }

func (v *visitor) known(early []byte) (*Conn, error) {
	c, err := v.conn(early)
	if err == nil {
		c.once.Do(func() { c.remote = net.TCPAddrFromAddrPort(v.client) })
	}
	return c, err
}

// send writes an answer.
func (v *visitor) send(b []byte) { _, _ = syscall.Write(v.fd, b) } // who does not take it has left

// introduce finds the request behind a PROXY header in b. It is false when that
// header is not complete or not good.
func (v *visitor) introduce(b []byte) (request []byte, ok bool) {
	v.client = v.peer
	if !v.behind {
		return b, true
	}
	have := 0
	for {
		h, need, err := ParseHeader(b[:have], v.d.l.cfg.ProxyHeaderBytes)
		if err != nil || have+need > len(b) {
			return nil, false
		}
		if need == 0 {
			if h.Source.IsValid() {
				v.client = h.Source
			}
			return b[have:], true
		}
		have += need
	}
}

// settle has a client behind a proxy counted as itself.
func (v *visitor) settle() Verdict {
	if v.client == v.peer || v.d.l.exempt(v.client.Addr()) {
		return Welcome
	}
	return v.d.l.table.move(&v.place, v.client.Addr())
}
