package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/reason"
)

// lateWatch looks at connections when a time is over that is the same for all:
// the oldest is always the first, and a queue serves where each connection would
// need a timer.
type lateWatch struct {
	timeout time.Duration
	start   time.Time

	mu    sync.Mutex // guards queue
	queue []watched
}

// watched is one of the connections: each that begins is here for a while, so
// that the time is in eight bytes.
type watched struct {
	ref   ref
	over  *atomic.Bool  // the binary event is complete; nil when it is not about one
	until time.Duration // since lateWatch.start
}

// keepWatched is how long a queue stays as it is.
const keepWatched = 256

func newLateWatch(timeout time.Duration) *lateWatch {
	return &lateWatch{timeout: timeout, start: time.Now()}
}

func (w *lateWatch) watch(r ref, over *atomic.Bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, watched{ref: r, over: over, until: time.Since(w.start) + w.timeout})
}

// run calls look for each whose time is over until ctx ends.
func (w *lateWatch) run(ctx context.Context, look func(watched)) {
	tick := time.NewTicker(max(w.timeout/10, 10*time.Millisecond))
	defer tick.Stop()
	var due []watched
	for {
		select {
		case <-tick.C:
			due = w.due(time.Since(w.start), due[:0])
			for _, x := range due {
				look(x)
			}
			clear(due) // hold no connection
			if cap(due) > keepWatched {
				due = nil // a storm is over
			}
		case <-ctx.Done():
			return
		}
	}
}

// due takes those whose time is over out of the queue.
func (w *lateWatch) due(now time.Duration, into []watched) []watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.queue) && w.queue[n].until <= now {
		n++
	}
	into = append(into, w.queue[:n]...)
	left := len(w.queue) - n
	if cap(w.queue) > keepWatched && left < cap(w.queue)/4 {
		w.queue = append(make([]watched, 0, 2*left), w.queue[n:]...) // a storm is over
		return into
	}
	copy(w.queue, w.queue[n:])
	clear(w.queue[left:])
	w.queue = w.queue[:left]
	return into
}

// lateConnect closes who has not connected to any namespace.
func lateConnect(x watched) {
	if !x.ref.connected() {
		x.ref.session.Close(reason.ConnectTimeout)
	}
}

// lateAttachments closes who announced attachments and did not send them.
func lateAttachments(x watched) {
	if x.ref.conn.gen.Load() == x.ref.gen && !x.over.Load() {
		x.ref.session.Close(reason.Protocol)
	}
}

// connected tells whether the connection is a member, or gone.
func (r ref) connected() bool {
	if r.conn.gen.Load() != r.gen {
		return true
	}
	s := r.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.conn.gen.Load() != r.gen || r.conn.member
}
