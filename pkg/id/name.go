package id

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// User is a user's id (uid), given by the identity provider. Check what comes from
// outside with CheckUser; a conversion alone proves nothing.
type User string

// Doc is a document's id (guid), chosen by a component: the room that sockets
// join. Check what comes from outside with CheckDoc.
type Doc string

// MaxName is the largest number of bytes of a User or Doc.
const MaxName = 128

// ErrName is wrapped by the errors of CheckUser and CheckDoc.
var ErrName = errors.New("not a valid name")

// CheckUser tells why s cannot be a User: it must have 1 to MaxName bytes of valid
// UTF-8 without control characters. Anything else is allowed, colons and spaces
// too, so names must be the last part of a composed key. The error wraps ErrName
// and never repeats s, which may be hostile.
func CheckUser(s string) error { return checkName("user", s) }

// CheckDoc tells why s cannot be a Doc; the rules are those of CheckUser.
func CheckDoc(s string) error { return checkName("document", s) }

func checkName(what, s string) error {
	if s == "" {
		return fmt.Errorf("%w: empty %s", ErrName, what)
	}
	if len(s) > MaxName {
		return fmt.Errorf("%w: %s of %d bytes, at most %d are allowed", ErrName, what, len(s), MaxName)
	}
	for i, r := range s {
		if r == utf8.RuneError {
			// U+FFFD written out is legal and takes three bytes, a broken byte one.
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return fmt.Errorf("%w: %s is not UTF-8 at byte %d", ErrName, what, i)
			}
		}
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: %s has a control character at byte %d", ErrName, what, i)
		}
	}
	return nil
}
