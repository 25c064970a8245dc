package gateway

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/reason"
)

// connectWatch closes connections that do not connect to any namespace in
// time. The timeout is the same for all, so the oldest is always the first and
// a queue serves where each connection would need a timer.
type connectWatch struct {
	timeout time.Duration

	mu    sync.Mutex // guards queue
	queue []watched
}

type watched struct {
	ref   ref
	until time.Time
}

func (w *connectWatch) watch(c *Connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, watched{ref: c.ref(), until: time.Now().Add(w.timeout)})
}

// run closes who is late until ctx ends.
func (w *connectWatch) run(ctx context.Context) {
	tick := time.NewTicker(max(w.timeout/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, r := range w.due(now) {
				if !r.connected() {
					r.session.Close(reason.ConnectTimeout)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

func (w *connectWatch) due(now time.Time) []ref {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.queue) && !w.queue[n].until.After(now) {
		n++
	}
	due := make([]ref, n)
	for i, q := range w.queue[:n] {
		due[i] = q.ref
	}
	left := copy(w.queue, w.queue[n:])
	clear(w.queue[left:])
	w.queue = w.queue[:left]
	return due
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
