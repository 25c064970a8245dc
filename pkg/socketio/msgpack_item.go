package socketio

import (
	"encoding/binary"
	"math"
)

// kind is what a MessagePack item is once its header was read.
type kind uint8

const (
	kindNil kind = iota
	kindFalse
	kindTrue
	kindInt   // num, as two's complement
	kindUint  // num
	kindFloat // num, as the bits of a float64
	kindStr   // body of n bytes
	kindBin   // body of n bytes
	kindExt   // body of n bytes, ext
	kindArray // n items follow
	kindMap   // n pairs of items follow
)

// item is one MessagePack header. Scalars are complete; the body of the others
// starts at next.
type item struct {
	kind  kind
	fixed bool // an extension of one of the five fixed sizes
	ext   int8
	n     int
	num   uint64
	next  int
}

// readItem reads the header at i. What it declares is compared to what is there,
// so a body of n bytes can be sliced and n items cost at least n bytes of input.
func readItem(b []byte, i int) (item, error) {
	if i >= len(b) {
		return item{}, ErrMsgpack
	}
	it := header(b, i)
	if it.next == 0 {
		return item{}, ErrMsgpack
	}
	need := 0
	switch it.kind {
	case kindStr, kindBin, kindExt, kindArray:
		need = it.n
	case kindMap:
		need = 2 * it.n
	}
	if need > len(b)-it.next {
		return item{}, ErrMsgpack
	}
	return it, nil
}

// header decodes the first byte and what belongs to it; next is 0 when the bytes
// end too early or the first one is unassigned.
func header(b []byte, i int) item {
	c := b[i]
	switch {
	case c < 0x80:
		return item{kind: kindUint, num: uint64(c), next: i + 1}
	case c < 0x90:
		return item{kind: kindMap, n: int(c & 0x0f), next: i + 1}
	case c < 0xa0:
		return item{kind: kindArray, n: int(c & 0x0f), next: i + 1}
	case c < 0xc0:
		return item{kind: kindStr, n: int(c & 0x1f), next: i + 1}
	case c >= 0xe0:
		return item{kind: kindInt, num: uint64(int64(int8(c))), next: i + 1}
	}
	switch c {
	case 0xc0:
		return item{kind: kindNil, next: i + 1}
	case 0xc2:
		return item{kind: kindFalse, next: i + 1}
	case 0xc3:
		return item{kind: kindTrue, next: i + 1}
	case 0xc4, 0xc5, 0xc6:
		return sized(b, i, kindBin, 1<<(c-0xc4))
	case 0xc7, 0xc8, 0xc9:
		return extended(b, sized(b, i, kindExt, 1<<(c-0xc7)))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return extended(b, item{kind: kindExt, fixed: true, n: 1 << (c - 0xd4), next: i + 1})
	case 0xd9, 0xda, 0xdb:
		return sized(b, i, kindStr, 1<<(c-0xd9))
	case 0xdc, 0xdd:
		return sized(b, i, kindArray, 2<<(c-0xdc))
	case 0xde, 0xdf:
		return sized(b, i, kindMap, 2<<(c-0xde))
	}
	return number(b, i)
}

// sized reads a header whose length takes width bytes.
func sized(b []byte, i int, k kind, width int) item {
	n, ok := bigEndian(b, i+1, width)
	if !ok {
		return item{}
	}
	return item{kind: k, n: int(n), next: i + 1 + width}
}

// extended reads the type byte of an extension.
func extended(b []byte, it item) item {
	if it.next == 0 || it.next >= len(b) {
		return item{}
	}
	it.ext = int8(b[it.next])
	it.next++
	return it
}

func number(b []byte, i int) item {
	c := b[i]
	width := 0
	switch c {
	case 0xca:
		width = 4
	case 0xcb:
		width = 8
	case 0xcc, 0xcd, 0xce, 0xcf:
		width = 1 << (c - 0xcc)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		width = 1 << (c - 0xd0)
	default:
		return item{} // 0xc1
	}
	n, ok := bigEndian(b, i+1, width)
	if !ok {
		return item{}
	}
	it := item{kind: kindUint, num: n, next: i + 1 + width}
	switch {
	case c == 0xca:
		it.kind, it.num = kindFloat, math.Float64bits(float64(math.Float32frombits(uint32(n))))
	case c == 0xcb:
		it.kind = kindFloat
	case c >= 0xd0:
		shift := 64 - 8*width
		it.kind, it.num = kindInt, uint64(int64(n<<shift)>>shift)
	}
	return it
}

// bigEndian reads an unsigned integer of 1, 2, 4 or 8 bytes.
func bigEndian(b []byte, i, width int) (uint64, bool) {
	if len(b)-i < width {
		return 0, false
	}
	switch width {
	case 1:
		return uint64(b[i]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b[i:])), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b[i:])), true
	}
	return binary.BigEndian.Uint64(b[i:]), true
}

// skipItem gives the offset behind the item at i, with all it contains.
func skipItem(b []byte, i, depth int) (int, error) {
	it, err := readItem(b, i)
	if err != nil {
		return 0, err
	}
	items := 0
	switch it.kind {
	case kindStr, kindBin, kindExt:
		return it.next + it.n, nil
	case kindArray:
		items = it.n
	case kindMap:
		items = 2 * it.n
	default:
		return it.next, nil
	}
	if depth == 0 {
		return 0, ErrDepth
	}
	i = it.next
	for range items {
		if i, err = skipItem(b, i, depth-1); err != nil {
			return 0, err
		}
	}
	return i, nil
}

// integer gives the value of an item that is a non-negative integer, in whichever
// form: JavaScript has one number type, and so have its encoders.
func (it item) integer() (uint64, bool) {
	switch it.kind {
	case kindUint:
		return it.num, true
	case kindInt:
		return it.num, int64(it.num) >= 0
	case kindFloat:
		f := math.Float64frombits(it.num)
		return uint64(f), f >= 0 && f <= MaxAckID && f == math.Trunc(f)
	}
	return 0, false
}

// undefined tells whether the item is JavaScript's undefined as notepack 2 wrote
// it: a fixed extension of type 0 and one byte.
func (it item) undefined() bool { return it.kind == kindExt && it.fixed && it.ext == 0 && it.n == 1 }
