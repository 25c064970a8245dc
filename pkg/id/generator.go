package id

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrLease is returned when nothing may be minted: the clock, or a sequence that
// ran ahead of it, has passed the end of the window, or the generator is closed.
// It goes away when the lease is extended; until then refuse new sockets and pushes.
var ErrLease = errors.New("the lease on id time has ended")

// Window is the span of id time, in milliseconds since Epoch, that one owner of a
// replica number may use: After is excluded, Until included. A window may lie
// wholly in the future of this process's clock.
type Window struct{ After, Until int64 }

// closedBit marks a Generator's state as closed: positions need only 51 bits, so it
// makes the position later than all of id time.
const closedBit = 1 << 63

// Generator mints the socket and message ids of one process. Both come from one
// sequence, so that no two of them are equal. Share one generator per replica
// number and process; a second one on the same window would repeat its ids.
//
// Ids rise strictly. A clock that steps back is waited out on the last
// millisecond, and 1,024 ids in a millisecond are followed by ids of the next one,
// so Millis of an id may be later than the time at which it was made. When the
// clock has passed the window the generator refuses, although there may be unused
// milliseconds: the number may by then belong to somebody else.
//
// All methods may be called at once from any goroutine and do not allocate.
type Generator struct {
	now     func() time.Time
	replica uint64 // already shifted

	until atomic.Int64 // last millisecond of the window, only ever raised

	// position of the last id: millis<<seqBits | seq, with closedBit on top.
	// Before the first id it is the last position that After excludes.
	state atomic.Uint64
}

// NewGenerator returns a generator for the ids of r inside w. Pass time.Now as now;
// tests pass their own clock. A window that holds nothing is allowed and refuses
// until it is extended.
func NewGenerator(r Replica, w Window, now func() time.Time) *Generator {
	g := &Generator{now: now, replica: uint64(r&MaxReplica) << seqBits}
	// id time 0 is never used, so that no id is zero.
	after := min(max(w.After, 0), MaxMillis)
	g.state.Store(uint64(after)<<seqBits | maxSeq)
	g.Extend(w.Until)
	return g
}

// Extend moves the end of the window to until, a millisecond since Epoch. Call it
// after the extension has been recorded and never before. An earlier until than the
// present one changes nothing: what was granted cannot be taken back, only Close
// ends it.
func (g *Generator) Extend(until int64) {
	until = min(until, MaxMillis)
	for {
		old := g.until.Load()
		if until <= old || g.until.CompareAndSwap(old, until) {
			return
		}
	}
}

// Socket mints a socket id, or returns ErrLease.
func (g *Generator) Socket() (Socket, error) {
	v, err := g.mint()
	return Socket(v), err
}

// Message mints a message id, or returns ErrLease.
func (g *Generator) Message() (Message, error) {
	v, err := g.mint()
	return Message(v), err
}

// Last returns the id time of the latest id. Before the first id it is the After of
// the window: nothing later has been used.
func (g *Generator) Last() int64 { return int64(g.state.Load() &^ closedBit >> seqBits) }

// Until returns the end of the window.
func (g *Generator) Until() int64 { return g.until.Load() }

// Close ends minting for good and returns Last, which nothing changes any more: the
// rest of the window can be handed to the next owner. It may be called repeatedly.
func (g *Generator) Close() int64 {
	return int64(g.state.Or(closedBit) &^ closedBit >> seqBits)
}

func (g *Generator) mint() (uint64, error) {
	millis := max(Millis(g.now()), 0)
	for {
		old := g.state.Load()
		// old+1 carries from the sequence into the milliseconds by itself. A closed
		// state lies beyond every end that a window can have.
		next := max(old+1, uint64(millis)<<seqBits)
		at := next >> seqBits
		if int64(at) > g.until.Load() {
			return 0, ErrLease
		}
		if g.state.CompareAndSwap(old, next) {
			return at<<millisShift | g.replica | next&maxSeq, nil
		}
	}
}
