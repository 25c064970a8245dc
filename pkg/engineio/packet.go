package engineio

import "errors"

// Version is the generation of the protocol: the EIO parameter of a request.
type Version uint8

const (
	V3 Version = 3 // Socket.IO 2 clients
	V4 Version = 4 // Socket.IO 3 and 4 clients
)

// Type is the kind of a packet: its first character on the wire.
type Type uint8

const (
	Open Type = iota
	Close
	Ping
	Pong
	Message
	Upgrade
	Noop
)

// Packet is one Engine.IO packet. Data aliases what was decoded.
type Packet struct {
	Type   Type
	Binary bool
	Data   []byte
}

// ErrParse is what every decoder answers to bytes that are not Engine.IO. The
// session that sent them must be closed.
var ErrParse = errors.New("engineio: malformed packet")

// binaryMark starts a text packet that carries binary data as base64.
const binaryMark = 'b'

// DecodeText decodes a packet that came as text: a text frame, or an element of
// a payload. Base64 is decoded in place, so data is overwritten and must not be
// shared. That data is UTF-8 is for the caller to check: a WebSocket and a
// payload answer differently to text that is not.
func DecodeText(data []byte, v Version) (Packet, error) {
	if len(data) == 0 {
		return Packet{}, ErrParse
	}
	if data[0] == binaryMark {
		return decodeBase64(data[1:], v)
	}
	t, err := textType(data[0])
	if err != nil {
		return Packet{}, err
	}
	return Packet{Type: t, Data: data[1:]}, nil
}

// DecodeBinary decodes a packet that came as bytes: a binary frame, or a binary
// element of a generation 3 payload. In generation 4 these are messages without
// a type; in generation 3 the first byte is the type.
func DecodeBinary(data []byte, v Version) (Packet, error) {
	if v != V3 {
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	if len(data) == 0 || data[0] > byte(Noop) {
		return Packet{}, ErrParse
	}
	return Packet{Type: Type(data[0]), Binary: true, Data: data[1:]}, nil
}

// AppendText appends a packet as text: a text frame's payload.
func AppendText(dst []byte, t Type, data []byte) []byte {
	dst = append(dst, '0'+byte(t))
	return append(dst, data...)
}

// AppendBinary appends a binary message as the payload of a binary frame.
func AppendBinary(dst []byte, data []byte, v Version) []byte {
	if v == V3 {
		dst = append(dst, byte(Message))
	}
	return append(dst, data...)
}

// BinaryLen is the number of bytes that AppendBinary appends.
func BinaryLen(data []byte, v Version) int {
	if v == V3 {
		return len(data) + 1
	}
	return len(data)
}

func textType(c byte) (Type, error) {
	if c < '0' || c > '0'+byte(Noop) {
		return 0, ErrParse
	}
	return Type(c - '0'), nil
}
