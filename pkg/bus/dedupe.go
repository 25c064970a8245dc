package bus

import (
	"sync"

	"sluice/pkg/id"
)

// Dedupe remembers the message ids that were seen last, so that repetitions can be
// dropped. It never forgets the latest Size ids and never holds more than twice as
// many. It may be used from any goroutine.
type Dedupe struct {
	size int

	mu    sync.Mutex
	young map[id.Message]struct{} // guarded by mu
	old   map[id.Message]struct{} // guarded by mu
}

// NewDedupe returns a Dedupe that remembers at least size ids. Memory is about 30 to 60
// bytes per id, taken as they come.
func NewDedupe(size int) *Dedupe {
	return &Dedupe{
		size:  max(size, 1),
		young: make(map[id.Message]struct{}),
		old:   make(map[id.Message]struct{}),
	}
}

// Seen reports whether mid was seen before, and remembers it. The zero mid is never
// seen: records without an id cannot be told apart.
func (d *Dedupe) Seen(mid id.Message) bool {
	if mid == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.young[mid]; ok {
		return true
	}
	_, seen := d.old[mid]
	if len(d.young) >= d.size {
		// The old generation is forgotten whole: no bookkeeping per id.
		d.young, d.old = d.old, d.young
		clear(d.young)
	}
	d.young[mid] = struct{}{}
	return seen
}

// Forget takes mid out again. Call it when the work that Seen announced has failed, or
// the repetition that makes up for it would be dropped.
func (d *Dedupe) Forget(mid id.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.young, mid)
	delete(d.old, mid)
}
