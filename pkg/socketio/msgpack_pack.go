package socketio

import (
	"encoding/binary"
	"math"
	"strconv"
)

// packDepth bounds nesting of what this side sends; it only guards the stack,
// since the sender's own limit was checked where the arguments came in.
const packDepth = 1000

// packer converts checked JSON to MessagePack. MessagePack wants sizes in front,
// so a first scan notes the size of every container in the order in which they
// open, and the second pass follows it without checking anything again.
type packer struct {
	b           []byte
	i           int
	attachments [][]byte
	sizes       []int // members; for a placeholder -1-num
	container   int   // the next of sizes
}

// packArgs is newPacker for arguments: an array, of which sizes[0] is the size.
func packArgs(args []byte, attachments [][]byte) (packer, error) {
	if args == nil {
		args = []byte("[]")
	}
	if len(args) == 0 || args[0] != '[' {
		return packer{}, ErrPayload
	}
	return newPacker(args, attachments)
}

// newPacker scans JSON.
func newPacker(json []byte, attachments [][]byte) (packer, error) {
	s := scanner{b: json, depth: packDepth, attachments: len(attachments), sizes: make([]int, 0, 16)}
	if _, err := s.document(); err != nil {
		return packer{}, err
	}
	return packer{b: json, attachments: attachments, sizes: s.sizes}, nil
}

// list converts the members of an array without its header.
func (p *packer) list(dst []byte) []byte {
	n := p.sizes[p.container]
	p.container++
	p.to('[')
	for range n {
		dst = p.value(dst)
	}
	p.to(']')
	return dst
}

// value converts the next value.
func (p *packer) value(dst []byte) []byte {
	p.separators()
	switch p.b[p.i] {
	case '{':
		return p.object(dst)
	case '[':
		return p.list(appendArrayHeader(dst, p.sizes[p.container]))
	case '"':
		return p.text(dst)
	case 't':
		p.i += len("true")
		return append(dst, 0xc3)
	case 'f':
		p.i += len("false")
		return append(dst, 0xc2)
	case 'n':
		p.i += len("null")
		return append(dst, 0xc0)
	}
	start := p.i
	p.i, _ = scanNumber(p.b, start)
	return appendNumber(dst, p.b[start:p.i])
}

func (p *packer) object(dst []byte) []byte {
	n := p.sizes[p.container]
	p.container++
	if n < 0 {
		s := scanner{b: p.b, depth: packDepth}
		p.i, _ = s.value(p.i)
		return appendBin(dst, p.attachments[-1-n])
	}
	dst = appendMapHeader(dst, n)
	p.to('{')
	for range n {
		p.separators()
		dst = p.text(dst)
		dst = p.value(dst)
	}
	p.to('}')
	return dst
}

// text converts the string that starts here.
func (p *packer) text(dst []byte) []byte {
	end, _ := scanString(p.b, p.i)
	raw := p.b[p.i+1 : end-1]
	p.i = end
	return appendUnescaped(appendStrHeader(dst, unescapedLen(raw)), raw)
}

// separators moves over white space, commas and colons.
func (p *packer) separators() {
	for {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r', ',', ':':
			p.i++
		default:
			return
		}
	}
}

// to moves behind the bracket c, which comes next.
func (p *packer) to(c byte) {
	for p.b[p.i] != c {
		p.i++
	}
	p.i++
}

// appendNumber converts a JSON number: whole numbers to the shortest integer, as
// notepack does, everything else to a float of 64 bits.
func appendNumber(dst, text []byte) []byte {
	whole := true
	for _, c := range text {
		if c == '.' || c|0x20 == 'e' {
			whole = false
		}
	}
	if whole {
		if text[0] == '-' {
			if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
				return appendInt(dst, n)
			}
		} else if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return appendUint(dst, n)
		}
	}
	f, _ := strconv.ParseFloat(string(text), 64) // out of range gives an infinity, as in JavaScript
	if f == math.Trunc(f) {
		switch {
		case f >= 0 && f < 1<<64:
			return appendUint(dst, uint64(f))
		case f < 0 && f >= -1<<63:
			return appendInt(dst, int64(f))
		}
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -0x20:
		return append(dst, byte(n))
	case n >= -1<<7:
		return append(dst, 0xd0, byte(n))
	case n >= -1<<15:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= -1<<31:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

func appendStr(dst []byte, s string) []byte {
	return append(appendStrHeader(dst, len(s)), s...)
}

func appendStrHeader(dst []byte, n int) []byte {
	switch {
	case n < 0x20:
		return append(dst, 0xa0|byte(n))
	case n < 1<<8:
		return append(dst, 0xd9, byte(n))
	}
	return appendLength(dst, 0xda, 0xdb, n)
}

func appendBin(dst, b []byte) []byte {
	if len(b) < 1<<8 {
		dst = append(dst, 0xc4, byte(len(b)))
	} else {
		dst = appendLength(dst, 0xc5, 0xc6, len(b))
	}
	return append(dst, b...)
}

func appendArrayHeader(dst []byte, n int) []byte {
	if n < 0x10 {
		return append(dst, 0x90|byte(n))
	}
	return appendLength(dst, 0xdc, 0xdd, n)
}

func appendMapHeader(dst []byte, n int) []byte {
	if n < 0x10 {
		return append(dst, 0x80|byte(n))
	}
	return appendLength(dst, 0xde, 0xdf, n)
}

// appendLength appends a header with 16 or 32 bits of length.
func appendLength(dst []byte, short, long byte, n int) []byte {
	if n < 1<<16 {
		return binary.BigEndian.AppendUint16(append(dst, short), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, long), uint32(n))
}
