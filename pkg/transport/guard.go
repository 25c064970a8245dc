package transport

import (
	"encoding/binary"
	"errors"
)

// What the guard finds. The link answers with a close frame of its own, as the
// WebSocket library does not know of these.
var (
	errFragments = errors.New("transport: too many fragments")
	errControls  = errors.New("transport: too many control frames")
	errFraming   = errors.New("transport: malformed frame")
)

// guardLimits is what a guard allows.
type guardLimits struct {
	fragments uint16 // frames of a message
	controls  uint8  // control frames in a second
}

// guard watches the bytes that a client sends for what the WebSocket library
// lets pass: endless fragments (also empty ones, which its limit on the size
// never sees), floods of control frames, each of which costs an answer, lengths
// of 64 bits with the top bit set, close frames with half a code, and control
// and later frames that say they are compressed. Everything else that RFC 6455
// forbids (reserved bits and opcodes, missing masks, long or fragmented control
// frames, bad close codes, continuations of nothing) the library refuses itself,
// with 1002.
type guard struct {
	limits    *guardLimits
	skip      uint64 // bytes of payload still to come
	head      [10]byte
	have      uint8 // bytes of head
	fragments uint16
	counted   controls
}

// controls are the control frames of a second. They are all that a guard has to
// remember between messages.
type controls struct {
	second uint32
	n      uint8
}

// between tells that the stream is between two messages.
func (g *guard) between() bool { return g.skip == 0 && g.have == 0 && g.fragments == 0 }

// observe takes the next bytes of the stream.
func (g *guard) observe(p []byte, clock interface{ now() int64 }) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, uint64(len(p)))
			g.skip -= n
			p = p[n:]
			continue
		}
		n := copy(g.head[g.have:g.need()], p)
		g.have += uint8(n)
		p = p[n:]
		if g.have < 2 || g.have < g.need() {
			continue
		}
		length := g.length()
		if length>>63 != 0 {
			return errFraming
		}
		if err := g.frame(length, clock); err != nil {
			return err
		}
		if g.head[1]&0x80 != 0 {
			length += 4 // the mask
		}
		g.skip, g.have = length, 0
	}
	return nil
}

// need is how long the header is, without the mask, as far as can be told.
func (g *guard) need() uint8 {
	if g.have < 2 {
		return 2
	}
	switch g.head[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (g *guard) length() uint64 {
	switch n := g.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(g.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(g.head[2:])
	default:
		return uint64(n)
	}
}

// frame judges one frame.
func (g *guard) frame(length uint64, clock interface{ now() int64 }) error {
	const final, opcode, control, closing = 0x80, 0x0f, 0x08, 0x08
	op := g.head[0] & opcode
	if g.head[0]&rsv1 != 0 && (op == 0 || op&control != 0) {
		return errFraming // only the first frame of a message says that it is compressed
	}
	if op&control != 0 {
		if op == closing && length == 1 {
			return errFraming
		}
		return g.control(uint32(clock.now() / 1000))
	}
	if g.fragments++; g.fragments > g.limits.fragments {
		return errFragments
	}
	if g.head[0]&final != 0 {
		g.fragments = 0
	}
	return nil
}

func (g *guard) control(second uint32) error {
	if second != g.counted.second {
		g.counted = controls{second: second}
	}
	if g.counted.n++; g.counted.n > g.limits.controls {
		return errControls
	}
	return nil
}
