package gateway

import (
	"bytes"
	"fmt"

	"sluice/pkg/socketio"
)

// reservedPrefix marks the events between a client and the gateway itself.
const reservedPrefix = "sluice:"

// handleEvent passes a client's event up, or answers it when it is for the
// gateway itself.
func (c *Connection) handleEvent(p socketio.Packet, attachments [][]byte) error {
	u := uplinks.Get().(*uplink)
	defer u.free()
	switch in, over := c.speaks(p.Namespace, &u.client); {
	case over:
		return nil // sent before its client heard of the end
	case !in:
		return fmt.Errorf("%w: event to a namespace not joined", errProtocol)
	}
	name, list, err := socketio.SplitEvent(p.Data, c.shard.gw.packetLimits)
	if err != nil {
		return err
	}
	u.args = append(append(append(u.args[:0], '['), list...), ']')
	if bytes.HasPrefix(name, []byte(reservedPrefix)) {
		return c.handleOwn(string(name), p, bytes.Clone(u.args))
	}
	c.pass(u, p, name, attachments)
	return nil
}

// pass hands an event to Kafka. The client hears of it when Kafka cannot take
// it: an acknowledgement never comes before the component's.
func (c *Connection) pass(u *uplink, p socketio.Packet, name []byte, attachments [][]byte) {
	g := c.shard.gw
	u.up.Namespace, u.up.Name, u.up.Args, u.up.Attachments = p.Namespace, name, u.args, attachments
	u.up.HasAck, u.up.AckID = p.HasID, p.ID
	u.up.Docs, u.up.Replica, u.up.Boot = u.client.Docs, g.deps.Replica, g.deps.Boot
	n := newBusyNotice(g, c.ref(), p, name)
	if err := g.send(u, c.id, eventMessage, "", n.settled); err != nil {
		n.finish(err)
	}
}
