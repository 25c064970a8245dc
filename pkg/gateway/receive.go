package gateway

import (
	"errors"
	"fmt"
	"sync/atomic"

	"sluice/pkg/reason"
	"sluice/pkg/socketio"
)

// errProtocol is what a client did that no Socket.IO client does; its
// connection is closed.
var errProtocol = errors.New("gateway: protocol error")

// Message takes one Engine.IO message: a Socket.IO packet, or an attachment of
// the one before. It is the transport's call, one at a time per connection.
func (c *Connection) Message(data []byte, binary bool) {
	if c.ended {
		return
	}
	if err := c.receive(data, binary); err != nil {
		c.shard.gw.m.badPackets.Inc()
		c.ended = true
		if errors.Is(err, errStrayAcks) {
			c.shard.gw.end(c.ref(), reason.StrayAcks)
			return
		}
		c.session.Close(reason.Protocol)
	}
}

func (c *Connection) receive(data []byte, binary bool) error {
	switch {
	case c.in != nil && c.in.asm != nil:
		return c.receiveAttachment(data, binary)
	case binary:
		return c.receiveMsgpack(data)
	case c.form == formOldPack:
		p, err := socketio.ParseMsgpackText(data, c.shard.gw.packetLimits)
		if err != nil {
			return err
		}
		return c.dispatch(p, nil)
	case c.form == formMsgpack:
		return fmt.Errorf("%w: text from a MessagePack client", errProtocol)
	}
	p, err := socketio.Parse(data, c.revision(), c.shard.gw.packetLimits)
	if err != nil {
		return err
	}
	if p.Attachments == 0 {
		return c.dispatch(p, nil)
	}
	asm := &assembly{Assembler: socketio.Assembler{MaxBytes: c.shard.gw.packetLimits.MessageBytes}, over: new(atomic.Bool)}
	c.inbox().asm = asm
	if _, err = asm.Packet(p); err != nil { // never done: attachments follow
		return err
	}
	c.shard.gw.assembling.watch(c.ref(), asm.over)
	return nil
}

func (c *Connection) receiveAttachment(data []byte, binary bool) error {
	if !binary {
		return fmt.Errorf("%w: text while attachments are missing", errProtocol)
	}
	done, err := c.in.asm.Binary(data)
	if err != nil || !done {
		return err
	}
	return c.assembled()
}

func (c *Connection) assembled() error {
	p, attachments := c.in.asm.Take()
	c.in.asm.over.Store(true)
	c.in.asm = nil
	c.tidyIn()
	return c.dispatch(p, attachments)
}

// receiveMsgpack takes a packet of socket.io-msgpack-parser. The first packet
// of a connection decides which parser its client has.
func (c *Connection) receiveMsgpack(data []byte) error {
	if !c.form.packs() {
		if c.joined() || c.form == formRev4 {
			return fmt.Errorf("%w: binary out of the blue", errProtocol)
		}
		c.form = formMsgpack
	}
	p, attachments, err := socketio.ParseMsgpack(data, c.revision(), c.shard.gw.packetLimits)
	if err != nil {
		return err
	}
	return c.dispatch(p, attachments)
}

func (c *Connection) dispatch(p socketio.Packet, attachments [][]byte) error {
	switch p.Type {
	case socketio.Connect:
		return c.handleConnect(p)
	case socketio.Disconnect:
		return c.handleDisconnect(p)
	case socketio.Event, socketio.BinaryEvent:
		return c.handleEvent(p, attachments)
	case socketio.Ack, socketio.BinaryAck:
		return c.handleAck(p, attachments)
	default:
		return fmt.Errorf("%w: packet type %d from a client", errProtocol, p.Type)
	}
}

func (c *Connection) revision() socketio.Revision {
	if c.form.old() {
		return socketio.Rev4
	}
	return socketio.Rev5
}

// joined tells whether the client has connected to any namespace yet.
func (c *Connection) joined() bool {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.member
}

// inSpace tells whether the client is connected to the namespace.
func (c *Connection) inSpace(ns string) bool {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.member && c.inSpaceLocked(ns)
}
