package gateway

import (
	"strings"

	"sluice/pkg/id"
)

// room is the members of one target in one shard: the sockets of a user or of
// a document. Rooms exist while they have members. Most have one: it is kept in
// place, and the room takes 32 bytes. Guarded by shard.mu.
type room struct {
	name string
	one  *Connection    // the member, while there is no list
	list *[]*Connection // the members, when they are or were several
}

func (r *room) size() int {
	switch {
	case r.list != nil:
		return len(*r.list)
	case r.one != nil:
		return 1
	}
	return 0
}

func (r *room) at(pos int) *Connection {
	if r.list == nil {
		return r.one
	}
	return (*r.list)[pos]
}

func (r *room) set(pos int, c *Connection) {
	if r.list == nil {
		r.one = c
	} else {
		(*r.list)[pos] = c
	}
}

// add returns the position of the new member, which is the last.
func (r *room) add(c *Connection) int {
	switch {
	case r.list != nil:
		*r.list = append(*r.list, c)
	case r.one != nil:
		r.list = &[]*Connection{r.one, c}
		r.one = nil
	default:
		r.one = c
	}
	return r.size() - 1
}

// cut takes the last member out. A room that was large gives its memory back,
// and one that is empty has none.
func (r *room) cut() {
	if r.list == nil {
		r.one = nil
		return
	}
	l := *r.list
	last := len(l) - 1
	l[last] = nil
	l = l[:last]
	switch {
	case last == 0:
		r.list = nil
		return
	case cap(l) > 16 && last < cap(l)/4:
		l = append(make([]*Connection, 0, 2*last), l...)
	}
	*r.list = l
}

// joinLocked makes c a member of the target's room; false if it was one. A user's
// room is the first that a connection joins and the last that it leaves.
func (s *shard) joinLocked(c *Connection, t id.Target) bool {
	rooms := s.roomsOf(t.Kind)
	r := rooms.find(t.Name)
	if r == nil {
		r = &room{name: c.nameOf(t)}
		rooms.add(r)
	} else if c.rooms.slotOf(r) >= 0 {
		return false
	}
	c.rooms.add(t.Kind == id.KindUser, membership{room: r, pos: uint32(r.add(c))})
	if t.Kind == id.KindDoc && string(c.who.grants) == r.name {
		c.who.grants = grants(r.name) // the room's bytes, once for all its members
	}
	return true
}

// nameOf is the name of a new room, in bytes that hold nothing else in memory.
func (c *Connection) nameOf(t id.Target) string {
	if t.Kind == id.KindDoc && string(c.who.grants) == t.Name {
		return string(c.who.grants)
	}
	return strings.Clone(t.Name)
}

// roomsOf finds the rooms of one kind of target.
func (s *shard) roomsOf(k id.Kind) *roomTable {
	if k == id.KindUser {
		return &s.users
	}
	return &s.docs
}

// roomLocked returns the target's room; nil if it has no members here.
func (s *shard) roomLocked(t id.Target) *room { return s.roomsOf(t.Kind).find(t.Name) }

// inLocked tells whether c is a member of the target's room.
func (s *shard) inLocked(c *Connection, t id.Target) bool {
	r := s.roomLocked(t)
	return r != nil && c.rooms.slotOf(r) >= 0
}

// leaveLocked ends a membership; false if there was none.
func (s *shard) leaveLocked(c *Connection, t id.Target) bool {
	r := s.roomLocked(t)
	if r == nil {
		return false
	}
	slot := c.rooms.slotOf(r)
	if slot < 0 {
		return false
	}
	s.removeLocked(c, slot)
	return true
}

// leaveAllLocked ends every membership of c.
func (s *shard) leaveAllLocked(c *Connection) {
	for n := c.rooms.docs(); n > 0; n-- {
		s.removeLocked(c, n)
	}
	if c.rooms.user != nil {
		s.removeLocked(c, userSlot)
	}
}

// removeLocked takes c out of the room in its slot. Whoever is moved into the gap
// learns its new position. In a room that is being walked, the gap is first moved
// to the border between who is still to be visited and who was: so that everybody
// else stays on their side of it.
func (s *shard) removeLocked(c *Connection, slot int) {
	m := c.rooms.at(slot)
	r, gap := m.room, int(m.pos)
	if r == s.walked && gap < s.border {
		s.border--
		gap = r.moveLocked(s.border, gap)
	}
	r.moveLocked(r.size()-1, gap)
	r.cut()
	if r.size() == 0 {
		s.roomsOf(kindOf(slot)).drop(r)
	}
	c.rooms.remove(slot)
}

// moveLocked moves the member at a position into a gap, and returns where the
// gap is then.
func (r *room) moveLocked(from, gap int) int {
	if from != gap {
		moved := r.at(from)
		r.set(gap, moved)
		moved.rooms.moved(r, uint32(gap))
	}
	return from
}

// docsLocked lists the documents that the connection is a member of.
func (c *Connection) docsLocked() []id.Doc {
	n := c.rooms.docs()
	if n == 0 {
		return nil
	}
	return c.appendDocsLocked(make([]id.Doc, 0, n))
}

func (c *Connection) appendDocsLocked(docs []id.Doc) []id.Doc {
	for i := range c.rooms.docs() {
		docs = append(docs, id.Doc(c.rooms.at(i+1).room.name))
	}
	return docs
}

// userLocked is the connection's user, "" if it has none or is no member.
func (c *Connection) userLocked() id.User {
	if c.rooms.user == nil {
		return ""
	}
	return id.User(c.rooms.user.name)
}
