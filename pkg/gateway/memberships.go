package gateway

import "sluice/pkg/id"

// memberships are the ways back from a connection to its places in rooms. The
// user's room and one document's are kept in place, which is all that most
// connections have. Slot 0 is the user's room, those from 1 on are documents.
// A connection has few rooms: a scan beats a map here, and costs no memory.
type memberships struct {
	user, doc       *room
	userPos, docPos uint32
	more            *[]membership // nil: no other documents
}

// membership is the place of a connection in a room.
type membership struct {
	room *room
	pos  uint32
}

const userSlot = 0

// kindOf says what the room in a slot is of.
func kindOf(slot int) id.Kind {
	if slot == userSlot {
		return id.KindUser
	}
	return id.KindDoc
}

// docs counts the documents.
func (m *memberships) docs() int {
	switch {
	case m.more != nil:
		return 1 + len(*m.more)
	case m.doc != nil:
		return 1
	}
	return 0
}

func (m *memberships) at(slot int) membership {
	switch slot {
	case userSlot:
		return membership{m.user, m.userPos}
	case 1:
		return membership{m.doc, m.docPos}
	}
	return (*m.more)[slot-2]
}

// slotOf finds a room; -1 if the connection is no member.
func (m *memberships) slotOf(r *room) int {
	switch {
	case r == m.user:
		return userSlot
	case r == m.doc:
		return 1
	case m.more == nil:
		return -1
	}
	for i := range *m.more {
		if (*m.more)[i].room == r {
			return i + 2
		}
	}
	return -1
}

// moved notes the new position in a room.
func (m *memberships) moved(r *room, pos uint32) {
	switch slot := m.slotOf(r); slot {
	case userSlot:
		m.userPos = pos
	case 1:
		m.docPos = pos
	default:
		(*m.more)[slot-2].pos = pos
	}
}

func (m *memberships) add(user bool, n membership) {
	switch {
	case user:
		m.user, m.userPos = n.room, n.pos
	case m.doc == nil:
		m.doc, m.docPos = n.room, n.pos
	case m.more == nil:
		m.more = &[]membership{n}
	default:
		*m.more = append(*m.more, n)
	}
}

// remove empties a slot. The last document moves into the gap.
func (m *memberships) remove(slot int) {
	if slot == userSlot {
		m.user, m.userPos = nil, 0
		return
	}
	last := m.docs()
	end := m.at(last)
	if slot == 1 {
		m.doc, m.docPos = end.room, end.pos
	} else {
		(*m.more)[slot-2] = end
	}
	switch last {
	case 1:
		m.doc, m.docPos = nil, 0
	case 2:
		m.more = nil
	default:
		l := *m.more
		l[len(l)-1] = membership{}
		l = l[:len(l)-1]
		if cap(l) > 8 && len(l) < cap(l)/4 {
			l = append(make([]membership, 0, 2*len(l)), l...)
		}
		*m.more = l
	}
}
