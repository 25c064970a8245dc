package mesh

import (
	"context"
	"errors"
	"sync"
	"time"
)

// queue holds what waits for one boot of one replica.
//
//	open --idle, client closed--> retired, forgotten
//	open --another boot in the directory--> retired, replaced
//	open --the callee is another boot--> gone: pushes are ErrUnknown until the
//	     directory knows better, then replaced
type queue struct {
	to     Member
	cfg    *Config
	m      *Metrics
	wake   chan struct{}   // holds one: something is waiting
	open   context.Context // ends when the queue retires, and with the client
	cancel context.CancelFunc

	mu    sync.Mutex // guards all below
	items []item
	head  int // of items
	bytes int
	ended error // nil: open. errRetired, ErrUnknown, ErrClosed: what pushes get
}

type item struct {
	body []byte
	at   time.Time
}

// errRetired tells Deliver to ask for the queue again.
var errRetired = errors.New("mesh: queue retired")

func newQueue(ctx context.Context, to Member, cfg *Config, m *Metrics) *queue {
	q := &queue{to: to, cfg: cfg, m: m, wake: make(chan struct{}, 1)}
	q.open, q.cancel = context.WithCancel(ctx)
	return q
}

func (q *queue) push(body []byte, now time.Time) error {
	err := q.add(body, now)
	if err == nil {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return err
}

func (q *queue) add(body []byte, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended == nil:
	case errors.Is(q.ended, ErrUnknown):
		q.m.delivered(fateStale, 1)
		return q.ended
	case errors.Is(q.ended, ErrClosed):
		q.m.delivered(fateClosed, 1)
		return q.ended
	default:
		return q.ended
	}
	if q.fullLocked(len(body)) {
		q.expireLocked(now)
		if q.fullLocked(len(body)) {
			q.m.delivered(fateBusy, 1)
			return ErrBusy
		}
	}
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item{body, now})
	q.bytes += len(body)
	q.m.queued.Add(float64(len(body)))
	return nil
}

func (q *queue) fullLocked(more int) bool {
	return len(q.items)-q.head >= q.cfg.QueueMessages || q.bytes+more > q.cfg.QueueBytes
}

// expireLocked drops what has waited too long.
func (q *queue) expireLocked(now time.Time) {
	n := 0
	for q.head < len(q.items) && q.late(q.items[q.head], now) {
		q.takeLocked()
		n++
	}
	q.m.delivered(fateLate, n)
}

func (q *queue) late(it item, now time.Time) bool {
	return q.cfg.DeliverWithin > 0 && now.Sub(it.at) > q.cfg.DeliverWithin
}

// next returns what is to be sent next, if there is anything.
func (q *queue) next(now time.Time) (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expireLocked(now)
	if q.head == len(q.items) {
		return item{}, false
	}
	return q.takeLocked(), true
}

func (q *queue) takeLocked() item {
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.bytes -= len(it.body)
	q.m.queued.Sub(float64(len(it.body)))
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > 64 {
			q.items = nil // idle queues are small
		}
	}
	return it
}

// retireIdle ends the queue if nothing is in it.
func (q *queue) retireIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil || q.head < len(q.items) {
		return false
	}
	q.endLocked(errRetired)
	return true
}

// retire ends the queue and drops what is in it. Later pushes get after.
func (q *queue) retire(why fate, after error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil {
		return
	}
	q.m.delivered(why, len(q.items)-q.head)
	q.m.queued.Sub(float64(q.bytes))
	q.items, q.head, q.bytes = nil, 0, 0
	q.endLocked(after)
}

func (q *queue) endLocked(after error) {
	q.ended = after
	q.cancel()
}
