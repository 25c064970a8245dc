package engineio

import (
	"io"
	"strconv"
	"unicode/utf8"
)

// maxLengthDigits bounds the length in front of a generation 3 packet; a longer
// one cannot be that of a body that fits into memory.
const maxLengthDigits = 9

// Marks of the generation 3 binary form: kind, digits as bytes, end of length.
const (
	markText   = 0
	markBinary = 1
	markLength = 0xff
)

// nextText3 reads "<length>:<packet>". Packets of length 0 are passed over, as
// the reference does.
func (p *Payload) nextText3() (Packet, error) {
	for {
		if len(p.rest) == 0 {
			if p.more { // an empty body holds no packet
				return p.fail()
			}
			return Packet{}, io.EOF
		}
		p.more = false
		units, n := leadingNumber(p.rest, '0')
		if n == 0 || n == len(p.rest) || p.rest[n] != ':' {
			return p.fail()
		}
		body := p.rest[n+1:]
		size, ok := bytesOfUnits(body, units)
		if !ok {
			return p.fail()
		}
		p.rest = body[size:]
		if size == 0 {
			continue
		}
		pkt, err := DecodeText(body[:size:size], V3)
		if err != nil {
			return p.fail()
		}
		return pkt, nil
	}
}

// nextBinary3 reads one packet of the binary form.
func (p *Payload) nextBinary3() (Packet, error) {
	if len(p.rest) == 0 {
		if p.more {
			return p.fail()
		}
		return Packet{}, io.EOF
	}
	p.more = false
	kind := p.rest[0]
	size, n := leadingNumber(p.rest[1:], 0)
	head := 1 + n
	if kind > markBinary || n == 0 || head == len(p.rest) || p.rest[head] != markLength {
		return p.fail()
	}
	body := p.rest[head+1:]
	if size > len(body) {
		return p.fail()
	}
	p.rest = body[size:]
	var pkt Packet
	var err error
	switch {
	case kind == markBinary:
		pkt, err = DecodeBinary(body[:size:size], V3)
	case !utf8.Valid(body[:size]):
		err = ErrParse
	default:
		pkt, err = DecodeText(body[:size:size], V3)
	}
	if err != nil {
		return p.fail()
	}
	return pkt, nil
}

func (p *Payload) fail() (Packet, error) {
	p.rest, p.more = nil, false
	return Packet{}, ErrParse
}

// leadingNumber reads decimal digits, where zero stands for 0, and says how
// many they were; 0 when there are none or too many, or with a leading zero.
func leadingNumber(data []byte, zero byte) (value, digits int) {
	for digits < len(data) && data[digits]-zero <= 9 {
		if digits == maxLengthDigits {
			return 0, 0
		}
		value = value*10 + int(data[digits]-zero)
		digits++
	}
	if digits > 1 && data[0] == zero {
		return 0, 0
	}
	return value, digits
}

// bytesOfUnits is how many bytes of data make the given number of UTF-16 units.
// It is not ok when data is too short, not UTF-8, or a character would be cut.
func bytesOfUnits(data []byte, units int) (size int, ok bool) {
	if units > len(data) {
		return 0, false // each unit takes a byte at least
	}
	for units > 0 {
		if size == len(data) {
			return 0, false
		}
		if data[size] < utf8.RuneSelf {
			size++
			units--
			continue
		}
		r, n := utf8.DecodeRune(data[size:])
		if r == utf8.RuneError && n <= 1 {
			return 0, false
		}
		size += n
		units--
		if r > 0xffff {
			units--
		}
	}
	return size, units == 0
}

// unitsOf is the length of text in UTF-16 units. Every byte that is not the
// continuation of a character starts one; those of four bytes count twice.
func unitsOf(text []byte) int {
	n := 0
	for _, c := range text {
		if c&0xc0 != 0x80 {
			n++
		}
		if c >= 0xf0 {
			n++
		}
	}
	return n
}

func appendText3(dst []byte, t Type, data []byte) []byte {
	dst = strconv.AppendInt(dst, int64(1+unitsOf(data)), 10)
	dst = append(dst, ':')
	return AppendText(dst, t, data)
}

func appendBase64Text3(dst, data []byte) []byte {
	dst = strconv.AppendInt(dst, int64(Base64Len(data, V3)), 10)
	dst = append(dst, ':')
	return AppendBase64(dst, data, V3)
}

func appendTextBinary3(dst []byte, t Type, data []byte) []byte {
	dst = appendLength3(append(dst, markText), 1+len(data))
	return AppendText(dst, t, data)
}

func appendBinary3(dst, data []byte) []byte {
	dst = appendLength3(append(dst, markBinary), BinaryLen(data, V3))
	return AppendBinary(dst, data, V3)
}

// appendLength3 appends the digits of n as bytes 0 to 9, and the end mark.
func appendLength3(dst []byte, n int) []byte {
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(n), 10)
	for i := start; i < len(dst); i++ {
		dst[i] -= '0'
	}
	return append(dst, markLength)
}
