package transport

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls keeps what it has read the handshake into for as long as the
// connection lives: 3.5 KB, half of all that it takes. While a link is idle these
// buffers are empty, so they are dropped and lent again with the seat. They are
// reached through their names; where those are others nothing is saved.
var (
	tlsRaw, hasRaw     = tlsField[bytes.Buffer]("rawInput") // records as they came
	tlsPlain, hasPlain = tlsField[bytes.Reader]("input")    // what of a record has not been read; it is in rawInput
	tlsHand, hasHand   = tlsField[bytes.Buffer]("hand")     // messages of handshakes
	canSlim            = hasRaw && hasPlain && hasHand
)

// tlsField is where a connection has a field of this type.
func tlsField[T any](name string) (offset uintptr, ok bool) {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return f.Offset, ok && f.Type == reflect.TypeFor[T]()
}

// tlsAt is that field of a connection. The reader owns it.
func tlsAt[T any](c *tls.Conn, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(c), offset))
}

// maxRaw is how large a buffer may be to be used again: it grows by doubling, and
// a record has up to 16 KB.
const maxRaw = 64 << 10

// fatten gives a connection the buffer for records, unless it has one. What it
// answers has not been given away.
func fatten(c *tls.Conn, buf []byte) []byte {
	raw := tlsAt[bytes.Buffer](c, tlsRaw)
	if raw.Cap() > 0 {
		return buf
	}
	*raw = *bytes.NewBuffer(buf[:0])
	return nil
}

// slim drops the empty buffers of a connection, and returns the one for records;
// nil when that holds something, or has become large.
func slim(c *tls.Conn) (buf []byte) {
	if hand := tlsAt[bytes.Buffer](c, tlsHand); hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	raw, plain := tlsAt[bytes.Buffer](c, tlsRaw), tlsAt[bytes.Reader](c, tlsPlain)
	if raw.Len() > 0 || plain.Len() > 0 {
		return nil
	}
	raw.Reset()
	buf = raw.AvailableBuffer()
	*raw, *plain = bytes.Buffer{}, bytes.Reader{}
	if cap(buf) > maxRaw {
		return nil
	}
	return buf
}
