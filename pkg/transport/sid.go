package transport

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
)

// A sid is the session's number and a secret: 20 bytes as 27 characters.
const (
	secretLen = 12
	sidBytes  = 8 + secretLen
	sidChars  = (sidBytes*8 + 5) / 6
)

var sidEncoding = base64.RawURLEncoding.Strict()

type secret [secretLen]byte

// newSecret never fails: crypto/rand ends the program rather than return
// something that can be guessed.
func newSecret() (s secret) {
	rand.Read(s[:])
	return s
}

func (s *secret) equal(t *secret) bool {
	return subtle.ConstantTimeCompare(s[:], t[:]) == 1
}

func formatSID(id uint64, s *secret) string {
	var raw [sidBytes]byte
	binary.BigEndian.PutUint64(raw[:], id)
	copy(raw[8:], s[:])
	return sidEncoding.EncodeToString(raw[:])
}

// parseSID takes a sid apart. It does not allocate: it is what a flood of made
// up sids runs into.
func parseSID(sid string) (id uint64, s secret, ok bool) {
	if len(sid) != sidChars {
		return 0, s, false
	}
	var text [sidChars]byte
	var raw [sidBytes + 1]byte
	copy(text[:], sid)
	n, err := sidEncoding.Decode(raw[:], text[:])
	if err != nil || n != sidBytes {
		return 0, s, false
	}
	copy(s[:], raw[8:])
	return binary.BigEndian.Uint64(raw[:]), s, true
}
