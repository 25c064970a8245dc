package gateway

import (
	"fmt"
	"sync"

	"sluice/pkg/bus"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// message is one event on its way to any number of sockets. It is encoded at
// most once per wire form, when the first receiver needs that form.
type message struct {
	ns, event   string
	args        []byte // raw JSON array
	attachments [][]byte

	forms [forms]encodedOnce
}

type encodedOnce struct {
	once  sync.Once
	frame *transport.Frame
	err   error
}

func newMessage(p *bus.Push) *message {
	ns := p.Namespace
	if ns == "" {
		ns = mainSpace
	}
	return &message{ns: ns, event: p.Event, args: p.Args, attachments: p.Attachments}
}

// size is about how many bytes the message takes.
func (m *message) size() int {
	n := len(m.ns) + len(m.event) + len(m.args)
	for _, a := range m.attachments {
		n += len(a)
	}
	return n
}

// frame returns the message as the clients of one wire form read it.
func (m *message) frame(form wireForm) (*transport.Frame, error) {
	if form == formOldPack {
		form = formMsgpack // events are the same
	}
	e := &m.forms[form]
	e.once.Do(func() { e.frame, e.err = m.encode(form, false, 0) })
	return e.frame, e.err
}

// call returns the message with an acknowledgement request; the id makes it
// the message of one socket, so that nothing is shared.
func (m *message) call(form wireForm, ack uint64) (*transport.Frame, error) {
	return m.encode(form, true, ack)
}

func (m *message) encode(form wireForm, hasID bool, ack uint64) (*transport.Frame, error) {
	if form.packs() {
		b, err := socketio.AppendMsgpackEvent(nil, m.ns, m.event, m.args, m.attachments, hasID, ack, "")
		if err != nil {
			return nil, fmt.Errorf("encode %q as MessagePack: %w", m.event, err)
		}
		return transport.NewBinaryFrame(b), nil
	}
	size := len(m.ns) + len(m.event) + len(m.args) + 32
	b := socketio.AppendEvent(make([]byte, 0, size), m.ns, m.event, m.args, len(m.attachments), hasID, ack, "")
	return transport.NewFrame(b, m.attachments...), nil
}

// ackFrame is the answer to a client's acknowledgement request.
func ackFrame(form wireForm, ns string, ack uint64, args []byte, attachments [][]byte) (*transport.Frame, error) {
	if form.packs() {
		b, err := socketio.AppendMsgpackAck(nil, ns, ack, args, attachments)
		if err != nil {
			return nil, fmt.Errorf("encode an acknowledgement as MessagePack: %w", err)
		}
		return transport.NewBinaryFrame(b), nil
	}
	b := socketio.AppendAck(make([]byte, 0, len(ns)+len(args)+24), ns, ack, args, len(attachments))
	return transport.NewFrame(b, attachments...), nil
}
