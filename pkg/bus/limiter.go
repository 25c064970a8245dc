package bus

import (
	"context"
	"sync"
)

// limiter bounds what a consumer has in hand. A record that is larger than the bound on
// bytes may pass alone.
type limiter struct {
	maxRecords, maxBytes int

	mu      sync.Mutex
	records int           // guarded by mu
	bytes   int           // guarded by mu
	freed   chan struct{} // guarded by mu; closed at the next release, nil if nobody waits
}

// acquire waits for room; it returns false when ctx ends first.
func (l *limiter) acquire(ctx context.Context, size int) bool {
	for {
		l.mu.Lock()
		if l.records == 0 || (l.records < l.maxRecords && l.bytes+size <= l.maxBytes) {
			l.records++
			l.bytes += size
			l.mu.Unlock()
			return true
		}
		if l.freed == nil {
			l.freed = make(chan struct{})
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (l *limiter) release(size int) {
	l.mu.Lock()
	l.records--
	l.bytes -= size
	freed := l.freed
	l.freed = nil
	l.mu.Unlock()
	if freed != nil {
		close(freed)
	}
}

func (l *limiter) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records
}
