package gateway

import (
	"hash/maphash"
	"math/bits"
)

// roomTable finds rooms by name. A Go map takes about 38 bytes for each, as it
// has the name again; this one takes about 13, for it holds nothing but the
// rooms: open addressing, with linear probing, in parts that are small so that
// one that grows keeps nobody waiting. Guarded by shard.mu.
type roomTable struct {
	parts [roomParts]roomPart
}

type roomPart struct {
	slots []*room
	rooms int
}

// Parts of a table, and when a part has slots enough. At three quarters a search
// for what is not there looks at eight slots, on average.
const (
	roomParts  = 256
	minSlots   = 4
	fullFrom   = 3 // quarters
	roomyUpTo  = 1 // eighths
	partsShift = 64 - 8
)

// roomSeed keeps names from being chosen so that they collide.
var roomSeed = maphash.MakeSeed()

func (t *roomTable) part(name string) (*roomPart, uint32) {
	h := maphash.String(roomSeed, name)
	return &t.parts[h>>partsShift], uint32(h)
}

// home is where a room is looked for first.
func (p *roomPart) home(hash uint32) int {
	at, _ := bits.Mul64(uint64(hash)<<32, uint64(len(p.slots)))
	return int(at)
}

func (p *roomPart) next(i int) int {
	if i++; i == len(p.slots) {
		return 0
	}
	return i
}

func (t *roomTable) find(name string) *room {
	p, hash := t.part(name)
	if p.rooms == 0 {
		return nil
	}
	for i := p.home(hash); p.slots[i] != nil; i = p.next(i) {
		if p.slots[i].name == name {
			return p.slots[i]
		}
	}
	return nil
}

// add takes a room whose name is not there.
func (t *roomTable) add(r *room) {
	p, hash := t.part(r.name)
	if 4*(p.rooms+1) > fullFrom*len(p.slots) {
		p.resize(max(minSlots, len(p.slots)+len(p.slots)/2))
	}
	p.put(hash, r)
	p.rooms++
}

func (p *roomPart) put(hash uint32, r *room) {
	i := p.home(hash)
	for p.slots[i] != nil {
		i = p.next(i)
	}
	p.slots[i] = r
}

func (p *roomPart) resize(n int) {
	old := p.slots
	p.slots = make([]*room, n)
	for _, r := range old {
		if r != nil {
			p.put(uint32(maphash.String(roomSeed, r.name)), r)
		}
	}
}

// drop takes a room out that is there. What was put behind it because its place
// was taken is put anew.
func (t *roomTable) drop(r *room) {
	p, hash := t.part(r.name)
	i := p.home(hash)
	for p.slots[i] != r {
		i = p.next(i)
	}
	p.slots[i] = nil
	p.rooms--
	if p.rooms == 0 {
		p.slots = nil
		return
	}
	if len(p.slots) > 8*minSlots && 8*p.rooms < roomyUpTo*len(p.slots) {
		p.resize(2 * p.rooms)
		return
	}
	for i = p.next(i); p.slots[i] != nil; i = p.next(i) {
		r := p.slots[i]
		p.slots[i] = nil
		p.put(uint32(maphash.String(roomSeed, r.name)), r)
	}
}

// each calls f for every room.
func (t *roomTable) each(f func(*room)) {
	for i := range t.parts {
		for _, r := range t.parts[i].slots {
			if r != nil {
				f(r)
			}
		}
	}
}
