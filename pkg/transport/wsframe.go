package transport

import "encoding/binary"

// First bytes of the WebSocket frames that a server sends, each the whole of
// its message (RFC 6455, section 5.2).
const (
	opText   = 0x81
	opBinary = 0x82
	opClose  = 0x88
)

// Close codes that this package sends itself (RFC 6455, section 7.4).
const (
	closeProtocol = 1002
	closeText     = 1007
	closePolicy   = 1008
	closeTooLarge = 1009
)

// appendHeader appends the header of an unmasked frame of n bytes.
func appendHeader(dst []byte, op byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, op, byte(n))
	case n <= 0xffff:
		return append(dst, op, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, op, 127), uint64(n))
}

// emptyClose is how the engine ends every session: without a code.
var emptyClose = []byte{opClose, 0}

// closeFrame is a close frame with a code, for what breaks the WebSocket rules.
func closeFrame(code int) []byte {
	return []byte{opClose, 2, byte(code >> 8), byte(code)}
}
