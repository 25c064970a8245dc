package transport

import "sync"

const (
	// chunkSize is about how much is written at a time when several frames wait.
	chunkSize = 32 << 10
	// keepItems is how long a queue may have been to be used again.
	keepItems = 256
)

var (
	queuePool = sync.Pool{New: func() any { return new(queue) }}
	chunkPool = sync.Pool{New: func() any { return new([chunkSize]byte) }}
)

// queue is what waits to be written to one WebSocket, in order. The items are
// shared with other sessions and never written to; only who is behind has one.
type queue struct {
	items [][]byte
	head  int // first item that has not left
	off   int // how much of it has left
	bytes int // that have not left
}

func (q *queue) push(b []byte) {
	q.items = append(q.items, b)
	q.bytes += len(b)
}

// behind is how many bytes wait for the first item to leave. That one does not
// count: who is being sent a large message is not slow for that.
func (q *queue) behind() int { return q.bytes - len(q.items[q.head]) + q.off }

// chunk is what to write next: many small items are copied together into buf,
// a large one is taken as it is.
func (q *queue) chunk(buf []byte) []byte {
	first := q.items[q.head][q.off:]
	if q.head+1 == len(q.items) || len(first) >= len(buf)/2 {
		return first[:min(len(first), len(buf))]
	}
	n := copy(buf, first)
	for _, item := range q.items[q.head+1:] {
		if n == len(buf) {
			break
		}
		n += copy(buf[n:], item)
	}
	return buf[:n]
}

// advance takes off what has left. True means that nothing waits any more.
func (q *queue) advance(n int) bool {
	q.bytes -= n
	for n > 0 {
		left := len(q.items[q.head]) - q.off
		if n < left {
			q.off += n
			return false
		}
		n -= left
		q.items[q.head] = nil
		q.head++
		q.off = 0
	}
	return q.head == len(q.items)
}

// release gives an empty or dropped queue back.
func (q *queue) release() {
	if cap(q.items) > keepItems {
		return
	}
	clear(q.items)
	*q = queue{items: q.items[:0]}
	queuePool.Put(q)
}
