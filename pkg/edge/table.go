package edge

import (
	"encoding/binary"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
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
	start  time.Time
	bucket bucket // of each address

	mu     sync.Mutex // guards what follows, and the places
	places map[key]*Place
	others *Place // for who has no limit of its own
	total  int
	swept  time.Time
}

// Place is what a Table knows of an address. Behind many addresses there is one
// client each, so that it is kept small.
type Place struct {
	table *Table
	leave func() // Leave, made once for all who need it
	full  int64  // when the bucket is full again, in nanoseconds since the table's start
	held  int32
}

// bucket is how fast an address may ask, in nanoseconds: a token comes after cost,
// and an empty bucket is full again after room. Zero means no limit.
type bucket struct{ cost, room int64 }

func newBucket(perSecond float64, burst int) bucket {
	if perSecond <= 0 {
		return bucket{}
	}
	const most = math.MaxInt64 / 4 // a sum of two is still a time
	cost := int64(min(float64(time.Second)/perSecond, most))
	return bucket{cost: cost, room: int64(min(float64(cost)*float64(max(burst, 1)), most))}
}

// spent tells whether there is no token in a bucket that is full at a time.
func (b bucket) spent(full, now int64) bool { return max(full, now)-now+b.cost > b.room }

// sweepEvery is the time between two looks for addresses to forget.
const sweepEvery = time.Minute

// NewTable returns an empty table.
func NewTable(limits Limits, now func() time.Time) *Table {
	t := &Table{limits: limits, now: now, start: now(), places: make(map[key]*Place)}
	t.bucket = newBucket(limits.PerSecond, limits.Burst)
	t.others = &Place{table: t}
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
	if p := t.places[keyOf(a)]; p != nil {
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
	p := t.places[keyOf(a)]
	return p != nil && t.bucket.spent(p.full, t.sinceStart())
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

// leaver returns Leave as a function.
func (p *Place) leaver() func() {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.leave == nil {
		p.leave = p.Leave
	}
	return p.leave
}

func (t *Table) sinceStart() int64 { return int64(t.now().Sub(t.start)) }

func (t *Table) askLocked(a netip.Addr) (*Place, Verdict) {
	if t.limits.Total > 0 && t.total >= t.limits.Total {
		return nil, Full
	}
	p := t.placeLocked(a)
	if t.limits.PerAddress > 0 && int(p.held) >= t.limits.PerAddress {
		return nil, TooMany
	}
	now := t.sinceStart()
	if t.bucket.spent(p.full, now) {
		return nil, TooFast
	}
	p.full = max(p.full, now) + t.bucket.cost
	return p, Welcome
}

func (t *Table) enterLocked(p *Place) *Place {
	p.held++
	t.total++
	return p
}

func (t *Table) placeLocked(a netip.Addr) *Place {
	k := keyOf(a)
	if p := t.places[k]; p != nil {
		return p
	}
	now := t.now()
	if now.Sub(t.swept) >= sweepEvery {
		t.sweepLocked(now)
	}
	if t.limits.Remembered > 0 && len(t.places) >= t.limits.Remembered {
		t.evictLocked()
	}
	p := &Place{table: t}
	t.places[k] = p
	return p
}

func (t *Table) sweepLocked(now time.Time) {
	t.swept = now
	at := int64(now.Sub(t.start))
	for k, p := range t.places {
		if p.held <= 0 && p.full <= at {
			delete(t.places, k)
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

// key is what an address is counted as: an IPv6 address as its /64. IPv4 and
// what is no address have keys in ::/8, where no client can be.
type key uint64

func keyOf(a netip.Addr) key {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return 0xffff<<32 | key(binary.BigEndian.Uint32(b[:]))
	case a.Is6():
		b := a.As16()
		return key(binary.BigEndian.Uint64(b[:]))
	}
	return 1 << 48
}
