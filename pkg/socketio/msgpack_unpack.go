package socketio

import (
	"encoding/binary"
	"math"
	"strconv"
)

// unpacker converts MessagePack to JSON. Its output and what it keeps of the
// input stay within room, whatever lengths the input declares.
type unpacker struct {
	b              []byte
	out            []byte
	attachments    [][]byte
	maxAttachments int
	depth          int // levels that may still be opened
	room           int // bytes that out and the attachments may still take
	forged         bool
}

// value converts the item at i and gives the offset behind it.
func (c *unpacker) value(i int) (int, error) {
	it, err := readItem(c.b, i)
	if err != nil {
		return 0, err
	}
	before := len(c.out)
	end := it.next
	switch it.kind {
	case kindNil:
		c.out = append(c.out, "null"...)
	case kindFalse:
		c.out = append(c.out, "false"...)
	case kindTrue:
		c.out = append(c.out, "true"...)
	case kindInt:
		c.out = strconv.AppendInt(c.out, int64(it.num), 10)
	case kindUint:
		c.out = strconv.AppendUint(c.out, it.num, 10)
	case kindFloat:
		c.out = appendFloat(c.out, math.Float64frombits(it.num))
	case kindStr:
		end += it.n
		c.out = appendQuoted(c.out, c.b[it.next:end])
	case kindBin:
		end += it.n
		err = c.attach(c.b[it.next:end])
	case kindExt:
		end += it.n
		err = c.extension(it)
	case kindArray, kindMap:
		// Members account for themselves.
		return c.container(it)
	}
	if err != nil {
		return 0, err
	}
	if c.room -= len(c.out) - before; c.room < 0 {
		return 0, ErrTooLarge
	}
	return end, nil
}

// container converts an array or a map.
func (c *unpacker) container(it item) (end int, err error) {
	if c.depth == 0 {
		return 0, ErrDepth
	}
	if c.room -= punctuation(it); c.room < 0 {
		return 0, ErrTooLarge
	}
	c.depth--
	end = it.next
	if it.kind == kindArray {
		c.out = append(c.out, '[')
		for n := range it.n {
			if n > 0 {
				c.out = append(c.out, ',')
			}
			if end, err = c.value(end); err != nil {
				return 0, err
			}
		}
		c.out = append(c.out, ']')
	} else {
		c.out = append(c.out, '{')
		for n := range it.n {
			if n > 0 {
				c.out = append(c.out, ',')
			}
			if end, err = c.pair(end); err != nil {
				return 0, err
			}
		}
		c.out = append(c.out, '}')
	}
	c.depth++
	return end, nil
}

// punctuation counts the brackets, commas and colons of a container.
func punctuation(it item) int {
	n := 2 + max(it.n-1, 0)
	if it.kind == kindMap {
		n += it.n
	}
	return n
}

// pair converts a key, which must be a string, and its value.
func (c *unpacker) pair(i int) (int, error) {
	key, err := readItem(c.b, i)
	if err != nil {
		return 0, err
	}
	if key.kind != kindStr {
		return 0, ErrMsgpack
	}
	if i, err = c.value(i); err != nil {
		return 0, err
	}
	c.out = append(c.out, ':')
	if string(c.b[key.next:i]) == "_placeholder" && i < len(c.b) && c.b[i] == 0xc3 {
		c.forged = true
	}
	return c.value(i)
}

// attach keeps a copy of a binary value and leaves a placeholder in its place.
func (c *unpacker) attach(body []byte) error {
	if len(c.attachments) >= c.maxAttachments {
		return ErrAttachments
	}
	if c.room -= len(body); c.room < 0 {
		return ErrTooLarge
	}
	c.out = append(c.out, `{"_placeholder":true,"num":`...)
	c.out = strconv.AppendInt(c.out, int64(len(c.attachments)), 10)
	c.out = append(c.out, '}')
	c.attachments = append(c.attachments, append(make([]byte, 0, len(body)), body...))
	return nil
}

// extension converts the extension types that JavaScript clients send: undefined,
// Date and ArrayBuffer as type 0, and the timestamps of the MessagePack text.
func (c *unpacker) extension(it item) error {
	body := c.b[it.next : it.next+it.n]
	switch {
	case it.undefined():
		c.out = append(c.out, "null"...)
	case it.ext == 0 && !it.fixed:
		return c.attach(body)
	case it.ext == 0 && it.n == 8:
		c.out = appendDate(c.out, int64(binary.BigEndian.Uint64(body)))
	case it.ext == -1:
		ms, ok := timestamp(body)
		if !ok {
			return ErrMsgpack
		}
		c.out = appendDate(c.out, ms)
	default:
		return ErrMsgpack
	}
	return nil
}

// appendFloat writes a number as JSON.stringify does; what is no number in JSON
// is null.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if f == 0 {
		return append(dst, '0') // -0 too
	}
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		// 1e-07 is written 1e-7.
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
