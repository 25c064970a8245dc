package id

import (
	"errors"
	"fmt"
)

// TextLen is the length of every text form of a Socket or Message.
const TextLen = 13

// ErrSyntax is wrapped by the errors of ParseSocket, ParseMessage and ParseTarget.
var ErrSyntax = errors.New("not a valid id")

const alphabet = "0123456789abcdefghijklmnopqrstuv"

// values maps a byte to its base32hex value; 0xff marks what is not in the alphabet.
var values = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// encodeText writes the 64 bits as twelve digits of 5 bits and a last one of 4
// bits and a zero: what RFC 4648 prescribes for 8 bytes, so any language decodes it.
func encodeText(v uint64) (b [TextLen]byte) {
	b[TextLen-1] = alphabet[v<<1&31]
	v >>= 4
	for i := TextLen - 2; i >= 0; i-- {
		b[i] = alphabet[v&31]
		v >>= 5
	}
	return b
}

func formatText(v uint64) string {
	b := encodeText(v)
	return string(b[:])
}

func appendText(dst []byte, v uint64) []byte {
	b := encodeText(v)
	return append(dst, b[:]...)
}

// parseText refuses every text but the one that encodeText writes, because ids are
// compared and stored as text too: two spellings of one id would be two keys.
func parseText(s string) (uint64, error) {
	if len(s) != TextLen {
		return 0, fmt.Errorf("%w: %d bytes instead of %d", ErrSyntax, len(s), TextLen)
	}
	var v uint64
	for i := range TextLen - 1 {
		d := values[s[i]]
		if d == 0xff {
			return 0, fmt.Errorf("%w: byte %d is not a base32hex digit", ErrSyntax, i)
		}
		v = v<<5 | uint64(d)
	}
	last := values[s[TextLen-1]]
	if last == 0xff || last&1 != 0 {
		return 0, fmt.Errorf("%w: wrong last digit", ErrSyntax)
	}
	v = v<<4 | uint64(last>>1)
	if v>>63 != 0 {
		return 0, fmt.Errorf("%w: more than 63 bits", ErrSyntax)
	}
	if v == 0 {
		return 0, fmt.Errorf("%w: zero names nothing", ErrSyntax)
	}
	return v, nil
}
