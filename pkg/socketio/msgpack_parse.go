package socketio

import "unicode/utf8"

// maxFields is how many keys a packet's map may have. Clients send four, and one
// named options.
const maxFields = 16

// envelope is a packet's map: where its values lie in the frame, not yet
// converted. As in JavaScript, of equal keys the last one counts.
type envelope struct {
	typ, nsp, id, data item
	has                struct{ typ, nsp, id, data bool }
	dataAt, dataEnd    int
}

// ParseMsgpack reads one packet of the MessagePack form. Data is the payload
// converted to JSON, with placeholders for the attachments that are returned
// beside it; a packet that has any is of type BINARY_EVENT or BINARY_ACK, as if
// it had come in the text form, and the same checks were made. Nothing aliases
// the frame.
//
// Dates become the strings that JSON.stringify makes of them, undefined becomes
// null, NaN and the infinities become null, and invalid UTF-8 in strings becomes
// U+FFFD. A map that poses as a placeholder is refused when the packet has
// attachments, because it could no longer be told from a real one.
func ParseMsgpack(frame []byte, rev Revision, lim Limits) (Packet, [][]byte, error) {
	if len(frame) == 0 {
		return Packet{}, nil, ErrEmpty
	}
	lim = lim.filled()
	env, err := readEnvelope(frame, lim.Depth)
	if err != nil {
		return Packet{}, nil, err
	}
	p, err := env.head(frame, rev, lim)
	if err != nil {
		return Packet{}, nil, err
	}
	c := unpacker{
		b: frame, depth: lim.Depth,
		maxAttachments: lim.Attachments, room: lim.MessageBytes,
	}
	if env.has.data {
		// Typical JSON is a little longer than its MessagePack.
		c.out = make([]byte, 0, (env.dataEnd-env.dataAt)*5/4+16)
		if _, err := c.value(env.dataAt); err != nil {
			return Packet{}, nil, err
		}
	}
	return finish(p, &c, lim)
}

// finish checks the converted payload by the rules of the text form.
func finish(p Packet, c *unpacker, lim Limits) (Packet, [][]byte, error) {
	if c.forged && len(c.attachments) > 0 {
		return Packet{}, nil, ErrPlaceholder
	}
	p.Data, p.Attachments = c.out, len(c.attachments)
	switch {
	case p.Data == nil:
		if p.Type == Event || p.Type == Ack {
			return Packet{}, nil, ErrPayload
		}
	case !takes(p.Type, p.Data[0]):
		return Packet{}, nil, ErrPayload
	}
	if p.Type == Event && p.Data != nil {
		if _, _, err := splitEvent(p.Data, lim.EventName); err != nil {
			return Packet{}, nil, err
		}
	}
	if p.Attachments > 0 {
		switch p.Type {
		case Event:
			p.Type = BinaryEvent
		case Ack:
			p.Type = BinaryAck
		default:
			return Packet{}, nil, ErrPayload
		}
	}
	return p, c.attachments, nil
}

// readEnvelope finds the fields of a packet's map and makes sure that the frame
// holds nothing else.
func readEnvelope(b []byte, depth int) (env envelope, err error) {
	top, err := readItem(b, 0)
	if err != nil {
		return env, err
	}
	if top.kind != kindMap || top.n > maxFields {
		return env, ErrMsgpack
	}
	i := top.next
	for range top.n {
		if i, err = env.field(b, i, depth); err != nil {
			return env, err
		}
	}
	if i != len(b) {
		return env, ErrMsgpack
	}
	return env, nil
}

// field reads one key and notes its value if it is one of the four.
func (e *envelope) field(b []byte, i, depth int) (int, error) {
	key, err := readItem(b, i)
	if err != nil {
		return 0, err
	}
	if key.kind != kindStr {
		return 0, ErrMsgpack
	}
	at := key.next + key.n
	val, err := readItem(b, at)
	if err != nil {
		return 0, err
	}
	end, err := skipItem(b, at, depth)
	if err != nil {
		return 0, err
	}
	given := !val.undefined()
	switch string(b[key.next:at]) {
	case "type":
		e.typ, e.has.typ = val, given
	case "nsp":
		e.nsp, e.has.nsp = val, given
	case "id":
		e.id, e.has.id = val, given
	case "data":
		e.data, e.has.data, e.dataAt, e.dataEnd = val, given, at, end
	}
	return end, nil
}

// msgpackType is the type of a packet. The parser for Socket.IO 2 has types of
// their own for packets with binary, as the text form.
func msgpackType(n uint64, rev Revision) (Type, bool) {
	switch {
	case n <= uint64(ConnectError):
		return Type(n), true
	case rev == Rev4 && n == uint64(BinaryEvent):
		return Event, true
	case rev == Rev4 && n == uint64(BinaryAck):
		return Ack, true
	}
	return 0, false
}

// head makes a packet of everything but the payload.
func (e *envelope) head(b []byte, rev Revision, lim Limits) (p Packet, err error) {
	typ, ok := e.typ.integer()
	if !e.has.typ || !ok {
		return p, ErrType
	}
	if p.Type, ok = msgpackType(typ, rev); !ok {
		return p, ErrType
	}
	if !e.has.nsp || e.nsp.kind != kindStr {
		return p, ErrNamespace
	}
	name := b[e.nsp.next : e.nsp.next+e.nsp.n]
	if len(name) == 0 || name[0] != '/' || !utf8.Valid(name) {
		return p, ErrNamespace
	}
	if p.Namespace, p.Query, err = splitNamespace(name, rev, lim); err != nil {
		return p, err
	}
	if e.has.id {
		if p.ID, p.HasID = e.id.integer(); !p.HasID || p.ID > MaxAckID {
			return p, ErrAckID
		}
	}
	return p, nil
}
