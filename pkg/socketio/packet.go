package socketio

// Revision is the generation of the Socket.IO protocol that a connection
// speaks. It follows from the Engine.IO version of the handshake.
type Revision uint8

const (
	Rev4 Revision = 4 // Socket.IO protocol 4: clients of EIO=3 (JavaScript client 1.x and 2.x)
	Rev5 Revision = 5 // Socket.IO protocol 5: clients of EIO=4 (JavaScript client 3.x and 4.x)
)

// Type is a packet's kind, with the numbers of the protocol.
type Type uint8

const (
	Connect      Type = 0
	Disconnect   Type = 1
	Event        Type = 2
	Ack          Type = 3
	ConnectError Type = 4
	BinaryEvent  Type = 5
	BinaryAck    Type = 6
)

// Binary reports whether attachments follow a text packet of this type.
func (t Type) Binary() bool { return t == BinaryEvent || t == BinaryAck }

// String gives the protocol's name in lower case. It is bounded, so it may be a
// metric label.
func (t Type) String() string {
	switch t {
	case Connect:
		return "connect"
	case Disconnect:
		return "disconnect"
	case Event:
		return "event"
	case Ack:
		return "ack"
	case ConnectError:
		return "connect_error"
	case BinaryEvent:
		return "binary_event"
	case BinaryAck:
		return "binary_ack"
	}
	return "unknown"
}

// MaxAckID is the largest ack id that is read or written: beyond it a JavaScript
// peer would round, and answer something that was not asked.
const MaxAckID = 1<<53 - 1

// Packet is one Socket.IO packet. The zero value is a CONNECT without a
// namespace; Parse always sets one.
type Packet struct {
	Type      Type
	Namespace string // "/" or "/name", without a query
	Query     string // what followed "?" in a Rev4 namespace: the auth of such clients; "" in Rev5
	HasID     bool   // an EVENT that wants an ack, or an ACK that answers; ACKs without an id answer nothing
	ID        uint64 // 0..MaxAckID, only with HasID

	// Data is the payload as it was sent: valid JSON without white space
	// around it, nil when there was none. It aliases the parser's input.
	Data []byte

	// Attachments is how many binary messages belong to a BINARY_EVENT or
	// BINARY_ACK; 0 for every other type.
	Attachments int

	// unused has a bit for each of the first 64 attachments that no
	// placeholder refers to; the assembler drops their bytes.
	unused uint64
}
