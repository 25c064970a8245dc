package component

import (
	"sync"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// job is an event and the stream on which it is to be acknowledged.
type job struct {
	f  *feed
	up *sluicev1.UpEvent
}

// lane holds the events of the sockets that hash to it, and one goroutine works
// on it while there are any. Its length is bounded by the subscription's room.
type lane struct {
	mu   sync.Mutex // guards all below
	jobs []job
	busy bool // a goroutine works on it
}

// add returns true when a goroutine must be started.
func (l *lane) add(j job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, j)
	start := !l.busy
	l.busy = true
	return start
}

// next returns the next event; false means that the goroutine is to end.
func (l *lane) next() (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.jobs) == 0 {
		l.jobs = nil // idle lanes hold nothing
		l.busy = false
		return job{}, false
	}
	j := l.jobs[0]
	l.jobs[0] = job{}
	l.jobs = l.jobs[1:]
	return j, true
}

// memory knows the last events that were handled.
type memory struct {
	size int

	mu   sync.Mutex // guards all below
	mids map[string]struct{}
	ring []string
	next int
}

func (m *memory) has(mid string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.mids[mid]
	return ok
}

func (m *memory) add(mid string) {
	if mid == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mids == nil {
		m.mids = make(map[string]struct{})
	}
	if _, ok := m.mids[mid]; ok {
		return
	}
	m.mids[mid] = struct{}{}
	if len(m.ring) < m.size {
		m.ring = append(m.ring, mid)
		return
	}
	delete(m.mids, m.ring[m.next])
	m.ring[m.next] = mid
	m.next = (m.next + 1) % m.size
}
