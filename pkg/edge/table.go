package edge

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what one address may have and do, and all together.
type Limits struct {
	PerAddress int     // at the same time; 0: no limit
	PerSecond  float64 // new ones; 0: no limit
	Burst      int     // new ones at once
	Total      int     // at the same time, of all addresses; 0: no limit
	// Remembered bounds the addresses that are kept although they have nothing.
	Remembered int
}

// Verdict is why something was refused, as a metric's label. Empty: it was not.
type Verdict string

// The verdicts of a Table.
const (
	Welcome Verdict = ""
	TooMany Verdict = "address_count" // the address has as many as it may
	TooFast Verdict = "address_rate"
	Full    Verdict = "total"
)

// Table counts what each address has, and how fast it asks for more. An IPv6
// address counts as its /64, which is what one customer gets: whoever has one
// has 2^64 of them.
//
// An address is forgotten when it has nothing and its bucket is full again. When
// more are remembered than allowed, which takes a flood from very many, some
// that have nothing are forgotten early: they begin with a full bucket again,
// so nobody is refused for what others do.
type Table struct {
	limits Limits
	now    func() time.Time

	mu     sync.Mutex // guards what follows, and the places
	places map[netip.Addr]*Place
	others *Place // for who has no limit of its own
	total  int
	swept  time.Time
}

// Place is what a Table knows of an address.
type Place struct {
	table  *Table
	held   int
	bucket *rate.Limiter // nil: no limit
	leave  func()        // Leave, made once for all who hold it
}

// sweepEvery is the time between two looks for addresses to forget.
const sweepEvery = time.Minute

// NewTable returns an empty table.
func NewTable(limits Limits, now func() time.Time) *Table {
	t := &Table{limits: limits, now: now, places: make(map[netip.Addr]*Place)}
	t.others = t.newPlace()
	return t
}

// Ask tells whether an address may have one more now, and takes a token from
// its bucket. Enter counts it when it is there.
func (t *Table) Ask(a netip.Addr) Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, v := t.askLocked(a)
	return v
}

// Enter counts one that has begun, until its place is left.
func (t *Table) Enter(a netip.Addr) *Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enterLocked(t.placeLocked(a))
}

// Leave undoes one Enter of an address.
func (t *Table) Leave(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key(a)]; p != nil {
		t.leaveLocked(p)
	}
}

// Hold is Ask and Enter at once. The place is nil when it is refused.
func (t *Table) Hold(a netip.Addr) (*Place, Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, v := t.askLocked(a)
	if v != Welcome {
		return nil, v
	}
	return t.enterLocked(p), Welcome
}

// HoldAny counts one of an address that has no limit of its own.
func (t *Table) HoldAny() (*Place, Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limits.Total > 0 && t.total >= t.limits.Total {
		return nil, Full
	}
	return t.enterLocked(t.others), Welcome
}

// move gives what is held in at a place of address a instead. When it has been
// left meanwhile there is nothing to move.
func (t *Table) move(at *atomic.Pointer[Place], a netip.Addr) Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := at.Load()
	if from == nil {
		return Welcome
	}
	t.total-- // it is not one more
	to, v := t.askLocked(a)
	t.total++
	if v == Welcome && at.CompareAndSwap(from, to) {
		from.held--
		to.held++
	}
	return v
}

// Spent tells whether the bucket of an address is empty, and takes nothing.
func (t *Table) Spent(a netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.places[key(a)]
	return p != nil && p.bucket != nil && p.bucket.TokensAt(t.now()) < 1
}

// Total is how many have entered and not left.
func (t *Table) Total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// Full tells whether no address may have more.
func (t *Table) Full() bool { return t.limits.Total > 0 && t.Total() >= t.limits.Total }

// Len is how many addresses are remembered.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.places)
}

// Leave undoes Enter or Hold, once for each.
func (p *Place) Leave() {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	p.table.leaveLocked(p)
}

func (t *Table) leaveLocked(p *Place) {
	p.held--
	t.total--
}

func (t *Table) newPlace() *Place {
	p := &Place{table: t}
	p.leave = p.Leave
	return p
}

func (t *Table) askLocked(a netip.Addr) (*Place, Verdict) {
	if t.limits.Total > 0 && t.total >= t.limits.Total {
		return nil, Full
	}
	p := t.placeLocked(a)
	if t.limits.PerAddress > 0 && p.held >= t.limits.PerAddress {
		return nil, TooMany
	}
	if p.bucket != nil && !p.bucket.AllowN(t.now(), 1) {
		return nil, TooFast
	}
	return p, Welcome
}

func (t *Table) enterLocked(p *Place) *Place {
	p.held++
	t.total++
	return p
}

func (t *Table) placeLocked(a netip.Addr) *Place {
	a = key(a)
	if p := t.places[a]; p != nil {
		return p
	}
	now := t.now()
	if now.Sub(t.swept) >= sweepEvery {
		t.sweepLocked(now)
	}
	if t.limits.Remembered > 0 && len(t.places) >= t.limits.Remembered {
		t.evictLocked()
	}
	p := t.newPlace()
	if t.limits.PerSecond > 0 {
		p.bucket = rate.NewLimiter(rate.Limit(t.limits.PerSecond), max(t.limits.Burst, 1))
	}
	t.places[a] = p
	return p
}

func (t *Table) sweepLocked(now time.Time) {
	t.swept = now
	for a, p := range t.places {
		if p.held <= 0 && (p.bucket == nil || p.bucket.TokensAt(now) >= float64(p.bucket.Burst())) {
			delete(t.places, a)
		}
	}
}

// evictLocked forgets one address that has nothing, of a few that the map
// happens to show first. Where all of these have something the table grows: by
// what is held, which has bounds of its own.
func (t *Table) evictLocked() {
	const looks = 8
	n := 0
	for a, p := range t.places {
		if p.held <= 0 {
			delete(t.places, a)
			return
		}
		if n++; n == looks {
			return
		}
	}
}

// key is what an address is counted as.
func key(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fits any IPv6 address
		return p.Addr()
	}
	return a
}
