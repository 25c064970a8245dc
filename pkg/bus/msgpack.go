package bus

import (
	"encoding/binary"
	"errors"
	"math"
)

// The subset of MessagePack that bodies are written in, and a reader of the whole of
// it. Bodies are maps from a short text key to a value; a library would allocate for
// every field, and this is done for every message of every client.

func appendArrayHeader(b []byte, n int) []byte {
	switch {
	case n < 16:
		return append(b, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xdc), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
}

func appendText(b []byte, s string) []byte { return append(appendTextHeader(b, len(s)), s...) }

// appendTextHeader announces a text of n bytes, which the caller appends.
func appendTextHeader(b []byte, n int) []byte {
	switch {
	case n < 32:
		return append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
}

func appendBinary(b, data []byte) []byte {
	switch n := len(data); {
	case n <= math.MaxUint8:
		b = append(b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xc5), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
	return append(b, data...)
}

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v < 128:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
}

func appendInt(b []byte, v int64) []byte {
	if v >= 0 {
		return appendUint(b, uint64(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

var (
	errShort  = errors.New("it ends early")
	errType   = errors.New("a value has another type than expected")
	errDeep   = errors.New("it is nested too deeply")
	errNumber = errors.New("a number is out of range")
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 16

// reader reads MessagePack from b. The first error sticks and every later read returns
// zero, so callers check err once. What it returns as bytes aliases b.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// uint reads a big-endian number of n bytes.
func (r *reader) uint(n int) uint64 {
	var v uint64
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *reader) tag() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0xc1 // never used by MessagePack
}

// peek returns the next tag without taking it.
func (r *reader) peek() byte {
	if len(r.b) == 0 {
		r.fail(errShort)
		return 0xc1
	}
	return r.b[0]
}

// mapHeader returns the number of pairs of a map; nil is an empty one.
func (r *reader) mapHeader() int {
	switch c := r.tag(); {
	case c&0xf0 == 0x80:
		return r.count(uint64(c & 0x0f))
	case c == 0xde:
		return r.count(r.uint(2))
	case c == 0xdf:
		return r.count(r.uint(4))
	case c == 0xc0:
		return 0
	}
	r.fail(errType)
	return 0
}

// arrayHeader returns the number of elements of an array; nil is an empty one.
func (r *reader) arrayHeader() int {
	switch c := r.tag(); {
	case c&0xf0 == 0x90:
		return r.count(uint64(c & 0x0f))
	case c == 0xdc:
		return r.count(r.uint(2))
	case c == 0xdd:
		return r.count(r.uint(4))
	case c == 0xc0:
		return 0
	}
	r.fail(errType)
	return 0
}

// count refuses a number of elements that the rest cannot hold, so that nobody
// allocates by what a stranger claims.
func (r *reader) count(n uint64) int {
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

// bytes reads text or binary; nil is nil.
func (r *reader) bytes() []byte {
	var n uint64
	switch c := r.tag(); {
	case c&0xe0 == 0xa0:
		n = uint64(c & 0x1f)
	case c == 0xc4 || c == 0xd9:
		n = r.uint(1)
	case c == 0xc5 || c == 0xda:
		n = r.uint(2)
	case c == 0xc6 || c == 0xdb:
		n = r.uint(4)
	case c == 0xc0:
		return nil
	default:
		r.fail(errType)
		return nil
	}
	return r.take(r.count(n))
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) unsigned() uint64 {
	v := r.integer()
	if v.negative {
		r.fail(errNumber)
		return 0
	}
	return v.bits
}

func (r *reader) signed() int64 {
	v := r.integer()
	if !v.negative && v.bits > math.MaxInt64 {
		r.fail(errNumber)
		return 0
	}
	return int64(v.bits)
}

// integer is a whole number of either sign; bits of a negative one are its two's
// complement.
type integer struct {
	bits     uint64
	negative bool
}

func (r *reader) integer() integer {
	c := r.tag()
	switch {
	case c < 0x80:
		return integer{bits: uint64(c)}
	case c >= 0xe0:
		return negativeOf(int64(int8(c)))
	case c >= 0xcc && c <= 0xcf:
		return integer{bits: r.uint(1 << (c - 0xcc))}
	case c >= 0xd0 && c <= 0xd3:
		size := 1 << (c - 0xd0)
		shift := 64 - 8*size
		return negativeOf(int64(r.uint(size)<<shift) >> shift)
	}
	r.fail(errType)
	return integer{}
}

func negativeOf(v int64) integer { return integer{bits: uint64(v), negative: v < 0} }

func (r *reader) bool() bool {
	switch r.tag() {
	case 0xc2, 0xc0:
		return false
	case 0xc3:
		return true
	}
	r.fail(errType)
	return false
}

// skip takes one value of any type.
func (r *reader) skip() { r.skipNested(0) }

func (r *reader) skipNested(depth int) {
	if depth > maxDepth {
		r.fail(errDeep)
		return
	}
	switch c := r.peek(); {
	case c < 0x80 || c >= 0xe0 || (c >= 0xcc && c <= 0xd3):
		r.integer()
	case c&0xf0 == 0x80 || c == 0xde || c == 0xdf:
		for n := r.mapHeader(); n > 0 && r.err == nil; n-- {
			r.skipNested(depth + 1)
			r.skipNested(depth + 1)
		}
	case c&0xf0 == 0x90 || c == 0xdc || c == 0xdd:
		for n := r.arrayHeader(); n > 0 && r.err == nil; n-- {
			r.skipNested(depth + 1)
		}
	case c&0xe0 == 0xa0 || (c >= 0xc4 && c <= 0xc6) || (c >= 0xd9 && c <= 0xdb):
		r.bytes()
	default:
		r.skipScalar()
	}
}

// skipScalar takes nil, a bool, a float or an extension.
func (r *reader) skipScalar() {
	switch c := r.tag(); {
	case c == 0xc0 || c == 0xc2 || c == 0xc3:
	case c == 0xca:
		r.take(4)
	case c == 0xcb:
		r.take(8)
	case c >= 0xc7 && c <= 0xc9: // extension of a given length
		r.take(1 + int(r.uint(1<<(c-0xc7))))
	case c >= 0xd4 && c <= 0xd8: // extension of 1, 2, 4, 8 or 16 bytes
		r.take(1 + 1<<(c-0xd4))
	default:
		r.fail(errType)
	}
}
