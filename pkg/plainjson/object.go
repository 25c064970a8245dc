// Package plainjson reads JSON objects as clients write them all day, in place and
// without garbage: strings of ASCII without escapes, whole numbers, and lists of such
// strings. Whatever else an object has makes it not plain, and is for encoding/json: a
// caller that gets no from End throws away what it has read and starts over there. So
// a plain object must mean to both the same, which a fuzz test holds.
package plainjson

import "strings"

// Object is an object that is being read. For each Next that returns true, call one
// of Text, Texts, Skip and Unknown; End tells whether all of it was plain.
type Object struct {
	b     []byte
	at    int
	begun bool
	odd   bool
}

// Read begins with the object in b.
func Read(b []byte) Object {
	o := Object{b: b}
	o.space()
	o.byte('{')
	return o
}

// Next goes to the next member; false is the end, or something that is not plain.
// The name is good for as long as b is.
func (o *Object) Next() (name []byte, ok bool) {
	o.space()
	switch {
	case o.odd || o.at == len(o.b):
		o.odd = true
		return nil, false
	case o.b[o.at] == '}':
		o.at++
		return nil, false
	case o.begun:
		o.byte(',')
		o.space()
	}
	o.begun = true
	name = o.Text()
	o.space()
	o.byte(':')
	o.space()
	return name, !o.odd
}

// End tells whether the object was plain, and nothing follows it. Call it when Next
// has returned false.
func (o *Object) End() bool {
	o.space()
	return !o.odd && o.at == len(o.b)
}

// Text reads a string, which is good for as long as b is.
func (o *Object) Text() []byte {
	if !o.byte('"') {
		return nil
	}
	for i := o.at; i < len(o.b); i++ {
		switch c := o.b[i]; {
		case c == '"':
			text := o.b[o.at:i:i]
			o.at = i + 1
			return text
		case c < ' ' || c == '\\' || c >= 0x80:
			o.odd = true
			return nil
		}
	}
	o.odd = true
	return nil
}

// maxDigits keeps numbers within what a float64 holds exactly.
const maxDigits = 15

// number reads a whole number that is not negative.
func (o *Object) number() (n int64) {
	begin := o.at
	for o.at < len(o.b) && o.b[o.at] >= '0' && o.b[o.at] <= '9' && o.at-begin <= maxDigits {
		n = n*10 + int64(o.b[o.at]-'0')
		o.at++
	}
	digits := o.at - begin
	if digits == 0 || digits > maxDigits || digits > 1 && o.b[begin] == '0' {
		o.odd = true
	}
	return n // what follows a number that has not ended is not plain
}

// Texts reads a list of strings. Each is a copy; the list is never nil.
func (o *Object) Texts() []string {
	o.byte('[')
	list := make([]string, 0, 1)
	for o.space(); !o.odd; o.space() {
		if len(list) == 0 && o.is(']') {
			break
		}
		list = append(list, string(o.Text()))
		o.space()
		if o.is(']') {
			break
		}
		o.byte(',')
	}
	return list
}

// Skip reads a value that is of no interest: a plain string or number, true, false
// or null.
func (o *Object) Skip() {
	if o.odd || o.at == len(o.b) {
		o.odd = true
		return
	}
	switch o.b[o.at] {
	case '"':
		o.Text()
	case 't':
		o.word("true")
	case 'f':
		o.word("false")
	case 'n':
		o.word("null")
	default:
		o.number()
	}
}

// Unknown reads a member that the caller has no use for. encoding/json would take a
// name that differs from a known one in case only, so that is not plain.
func (o *Object) Unknown(name []byte, known ...string) {
	for _, k := range known {
		if len(k) == len(name) && strings.EqualFold(k, string(name)) {
			o.odd = true
		}
	}
	o.Skip()
}

func (o *Object) space() {
	for o.at < len(o.b) {
		switch o.b[o.at] {
		case ' ', '\t', '\n', '\r':
			o.at++
		default:
			return
		}
	}
}

// is passes c, if it comes next.
func (o *Object) is(c byte) bool {
	if o.at < len(o.b) && o.b[o.at] == c {
		o.at++
		return true
	}
	return false
}

// byte passes c, which must come next.
func (o *Object) byte(c byte) bool {
	if o.odd || !o.is(c) {
		o.odd = true
	}
	return !o.odd
}

func (o *Object) word(w string) {
	if len(o.b)-o.at < len(w) || string(o.b[o.at:o.at+len(w)]) != w {
		o.odd = true
		return
	}
	o.at += len(w)
}
