package gateway

import (
	"encoding/json"
	"fmt"

	"sluice/pkg/id"
	"sluice/pkg/socketio"
)

// The events that a client may send to the gateway itself. Each is answered
// through its acknowledgement: [{"ok":true}] or [{"error":"forbidden"}].
const (
	joinEvent  = reservedPrefix + "join"  // argument: a document that the token grants
	leaveEvent = reservedPrefix + "leave" // argument: a document
)

func (c *Connection) handleOwn(name string, p socketio.Packet, args []byte) error {
	switch name {
	case joinEvent, leaveEvent:
		return c.handleMembership(name, p, args)
	default:
		return fmt.Errorf("%w: reserved event", errProtocol)
	}
}

func (c *Connection) handleMembership(name string, p socketio.Packet, args []byte) error {
	var names []string
	if err := json.Unmarshal(args, &names); err != nil || len(names) != 1 {
		return c.answer(p, map[string]any{"error": "bad_request"})
	}
	doc := id.Doc(names[0])
	g := c.gw
	if name == leaveEvent {
		if g.leaveDoc(c.shard, c.id, doc) {
			g.leftDocs(c.id, []id.Doc{doc})
		}
		return c.answer(p, map[string]any{"ok": true})
	}
	if err := c.join(doc); err != nil {
		return c.answer(p, map[string]any{"error": joinReason(err)})
	}
	g.joinedDocs(c.id, []id.Doc{doc})
	return c.answer(p, map[string]any{"ok": true})
}

// answer acknowledges a client's event; nothing when it did not ask.
func (c *Connection) answer(p socketio.Packet, result map[string]any) error {
	if !p.HasID {
		return nil
	}
	args, err := json.Marshal([]any{result})
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	f, err := ackFrame(c.form, p.Namespace, p.ID, args, nil)
	if err != nil {
		return err
	}
	_ = c.send(f) // a client that left needs no answer
	return nil
}
