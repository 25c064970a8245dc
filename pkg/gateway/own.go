package gateway

import (
	"encoding/json"
	"fmt"

	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/socketio"
)

// The events that a client may send to the gateway itself. Each is answered
// through its acknowledgement: [{"ok":true}], or
// [{"error":"forbidden","retry":"never"}] as pkg/reason has it.
const (
	joinEvent  = reservedPrefix + "join"  // argument: a document that the token grants
	leaveEvent = reservedPrefix + "leave" // argument: a document
)

func (c *Connection) handleOwn(name string, p socketio.Packet, args []byte) error {
	switch name {
	case joinEvent, leaveEvent:
		return c.handleMembership(name, p, args)
	case authEvent:
		return c.handleAuth(p, args)
	default:
		return fmt.Errorf("%w: reserved event", errProtocol)
	}
}

func (c *Connection) handleMembership(name string, p socketio.Packet, args []byte) error {
	var names []string
	if err := json.Unmarshal(args, &names); err != nil || len(names) != 1 {
		return c.answerRefused(p, reason.BadRequest)
	}
	doc := id.Doc(names[0])
	g := c.shard.gw
	if name == leaveEvent {
		if g.leaveDoc(c.shard, c.id, doc) {
			g.leftDocs(c.id, []id.Doc{doc})
		}
		return c.answer(p, []byte(`[{"ok":true}]`))
	}
	if err := c.join(doc); err != nil {
		return c.answerRefused(p, joinReason(err))
	}
	g.joinedDocs(c.id, []id.Doc{doc})
	return c.answer(p, []byte(`[{"ok":true}]`))
}

// answerRefused acknowledges an event that was not done.
func (c *Connection) answerRefused(p socketio.Packet, why reason.Reason) error {
	args := append([]byte(`[{"error":"`), why...)
	args = why.AppendRetry(append(args, `",`...), wait(why))
	return c.answer(p, append(args, `}]`...))
}

// answer acknowledges a client's event; nothing when it did not ask.
func (c *Connection) answer(p socketio.Packet, args []byte) error {
	if !p.HasID {
		return nil
	}
	f, err := ackFrame(c.form, p.Namespace, p.ID, args, nil)
	if err != nil {
		return err
	}
	_ = c.send(f) // a client that left needs no answer
	return nil
}
