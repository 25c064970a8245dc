package transport

import "encoding/binary"

// wholeFrame is a frame that is a message in one piece, or a ping or pong, and is
// in the buffer already. Nearly all are, and are taken from there: the library
// allocates for each message, and after a ping it waits for one, which would keep
// a goroutine and a seat. Everything else, and all that is wrong, is left to it.
type wholeFrame struct {
	op   byte   // with the final bit
	data []byte // unmasked, in the buffer
	size int    // with the header
}

// First bytes of control frames that are answered here, or need no answer.
const (
	opPing = 0x89
	opPong = 0x8a
)

// whole is the next frame, if it can be taken from the buffer. Between messages
// only: a link that inflates may have a rest of one before it.
func (t *seat) whole() (f wholeFrame, ok bool) {
	if t.link.deflate {
		return f, false
	}
	b, _ := t.br.Peek(t.br.Buffered())
	if len(b) < 2 || b[1]&0x80 == 0 { // not masked
		return f, false
	}
	f.op = b[0]
	n, at := int(b[1]&0x7f), 2
	switch {
	case n == 126 && len(b) >= 4 && (f.op == opText || f.op == opBinary):
		n, at = int(binary.BigEndian.Uint16(b[2:])), 4
	case n < 126 && (f.op == opText || f.op == opBinary || f.op == opPing || f.op == opPong):
	default:
		return f, false
	}
	if f.size = at + 4 + n; f.size > len(b) || n > t.link.s.srv.cfg.MaxPayload {
		return f, false
	}
	f.data = b[at+4 : f.size]
	unmask(f.data, [4]byte(b[at:]))
	return f, true
}

// unmask undoes what clients do to what they send (RFC 6455, section 5.3).
func unmask(p []byte, mask [4]byte) {
	word := binary.LittleEndian.Uint32(mask[:])
	long := uint64(word)<<32 | uint64(word)
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^long)
	}
	for i := range p {
		p[i] ^= mask[i&3]
	}
}

// takeWhole takes all such frames that come next, and is true when there was
// one. Pings are answered.
func (t *seat) takeWhole(message func(data []byte, binary bool)) (taken bool) {
	for f, ok := t.whole(); ok; f, ok = t.whole() {
		taken = true
		switch f.op {
		case opPing:
			pong := append(make([]byte, 0, 2+len(f.data)), opPong, byte(len(f.data)))
			t.link.put(append(pong, f.data...), false)
		case opPong:
		default:
			message(f.data, f.op == opBinary)
		}
		_, _ = t.br.Discard(f.size) // it is all there
	}
	return taken
}
