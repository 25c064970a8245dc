package gateway

import "sluice/pkg/id"

// room is the members of one target in one shard: the sockets of a user or of
// a document. Rooms exist while they have members. Guarded by shard.mu.
type room struct {
	target  id.Target
	members []member
}

// member is one connection of a room; slot is where the connection keeps the
// way back, so that leaving costs the same in a room of any size.
type member struct {
	conn *Connection
	slot int32
}

// membership is the way back from a connection to its place in a room.
type membership struct {
	room *room
	pos  int32
}

// joinLocked makes c a member of the target's room; false if it was one.
func (s *shard) joinLocked(c *Connection, t id.Target) bool {
	r := s.rooms[t]
	if r == nil {
		r = &room{target: t}
		s.rooms[t] = r
	} else if c.slotOfLocked(r) >= 0 {
		return false
	}
	r.members = append(r.members, member{conn: c, slot: int32(len(c.rooms))})
	c.rooms = append(c.rooms, membership{room: r, pos: int32(len(r.members) - 1)})
	return true
}

// inLocked tells whether c is a member of the target's room.
func (s *shard) inLocked(c *Connection, t id.Target) bool {
	r := s.rooms[t]
	return r != nil && c.slotOfLocked(r) >= 0
}

// leaveLocked ends a membership; false if there was none.
func (s *shard) leaveLocked(c *Connection, t id.Target) bool {
	r := s.rooms[t]
	if r == nil {
		return false
	}
	slot := c.slotOfLocked(r)
	if slot < 0 {
		return false
	}
	s.removeLocked(c, slot)
	return true
}

// leaveAllLocked ends every membership of c.
func (s *shard) leaveAllLocked(c *Connection) {
	for len(c.rooms) > 0 {
		s.removeLocked(c, len(c.rooms)-1)
	}
}

// removeLocked takes c out of the room in its slot. The last element of each
// of the two slices moves into the gap, and its way back is corrected.
func (s *shard) removeLocked(c *Connection, slot int) {
	m := c.rooms[slot]
	r := m.room

	last := len(r.members) - 1
	moved := r.members[last]
	r.members[m.pos] = moved
	moved.conn.rooms[moved.slot].pos = m.pos
	r.members[last] = member{}
	r.members = r.members[:last]
	if last == 0 {
		delete(s.rooms, r.target)
	} else if cap(r.members) > 64 && last < cap(r.members)/4 {
		r.members = append(make([]member, 0, 2*last), r.members...)
	}

	end := len(c.rooms) - 1
	if slot != end {
		c.rooms[slot] = c.rooms[end]
		c.rooms[slot].room.members[c.rooms[slot].pos].slot = int32(slot)
	}
	c.rooms[end] = membership{}
	c.rooms = c.rooms[:end]
}

// slotOfLocked finds r among the connection's rooms; -1 if it is no member. A
// connection has few rooms: a scan beats a map here, and costs no memory.
func (c *Connection) slotOfLocked(r *room) int {
	for i := range c.rooms {
		if c.rooms[i].room == r {
			return i
		}
	}
	return -1
}

// docsLocked lists the documents that the connection is a member of.
func (c *Connection) docsLocked() []id.Doc {
	var docs []id.Doc
	for _, m := range c.rooms {
		if m.room.target.Kind == id.KindDoc {
			docs = append(docs, id.Doc(m.room.target.Name))
		}
	}
	return docs
}
