package api

import (
	"encoding/json"
	"unicode/utf8"
)

// What can be wrong with an argument list. The texts are constants because they
// are told to callers.
const (
	argsNotUTF8      = "must be valid UTF-8"
	argsNotArray     = "must be the text of a JSON array"
	argsSyntax       = "is not valid JSON"
	argsDeep         = "is nested too deeply"
	argsPlaceholder  = "has a placeholder that names no attachment"
	argsUnreferenced = "has no placeholder for one of the attachments"
)

// checkArgs tells what is wrong with text as the arguments of an event that has
// that many attachments, or "" when it is right: one JSON array, at most depth
// levels of arrays and objects including itself, every binary placeholder naming
// an attachment and every attachment named. It does not allocate, except for
// object keys that are written with escapes.
//
// Placeholders are checked without attachments too: a receiver would take what
// looks like one for data, and a caller that forgot its attachments would not
// learn of it.
func checkArgs(text string, attachments, depth int) string {
	if !utf8.ValidString(text) {
		return argsNotUTF8
	}
	s := argScanner{text: text, attachments: attachments, left: depth}
	s.space()
	if s.peek() != '[' {
		return argsNotArray
	}
	s.value()
	s.space()
	if s.wrong == "" && s.pos != len(s.text) {
		s.wrong = argsSyntax
	}
	if s.wrong == "" && s.named != 1<<attachments-1 {
		s.wrong = argsUnreferenced
	}
	return s.wrong
}

// argScanner walks over JSON text once. It recurses per level, and left bounds
// the levels.
type argScanner struct {
	text        string
	pos         int
	left        int    // levels that may still be opened
	attachments int    // at most 63
	named       uint64 // bit per attachment that a placeholder names
	wrong       string // the first thing found, ends the scan
}

// scalar is what a placeholder's fields are recognized by.
type scalar struct {
	isTrue bool
	isInt  bool // a non-negative whole number, plainly written
	num    int
}

func (s *argScanner) fail(why string) {
	if s.wrong == "" {
		s.wrong = why
	}
	s.pos = len(s.text) // every loop ends at once
}

// peek returns the next byte, 0 at the end: a NUL is nowhere valid outside strings.
func (s *argScanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *argScanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *argScanner) value() scalar {
	s.space()
	switch c := s.peek(); {
	case c == '[':
		s.array()
	case c == '{':
		s.object()
	case c == '"':
		s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return scalar{isTrue: s.word("true")}
	case c == 'f':
		s.word("false")
	case c == 'n':
		s.word("null")
	default:
		s.fail(argsSyntax)
	}
	return scalar{}
}

func (s *argScanner) word(w string) bool {
	if len(s.text)-s.pos < len(w) || s.text[s.pos:s.pos+len(w)] != w {
		s.fail(argsSyntax)
		return false
	}
	s.pos += len(w)
	return true
}

func (s *argScanner) open() bool {
	s.pos++
	s.left--
	if s.left < 0 {
		s.fail(argsDeep)
		return false
	}
	s.space()
	return true
}

func (s *argScanner) shut() {
	s.pos++
	s.left++
}

// more stands behind an element: true after a comma, false after the end.
func (s *argScanner) more(end byte) bool {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case end:
		s.shut()
	default:
		s.fail(argsSyntax)
	}
	return false
}

func (s *argScanner) array() {
	if !s.open() {
		return
	}
	if s.peek() == ']' {
		s.shut()
		return
	}
	for {
		s.value()
		if !s.more(']') {
			return
		}
	}
}

func (s *argScanner) object() {
	if !s.open() {
		return
	}
	if s.peek() == '}' {
		s.shut()
		return
	}
	var mark, num scalar // the last of each name counts, as in every JSON reader
	for {
		s.space()
		key := s.str()
		s.space()
		if s.peek() != ':' {
			s.fail(argsSyntax)
			return
		}
		s.pos++
		v := s.value()
		switch key {
		case "_placeholder":
			mark = v
		case "num":
			num = v
		}
		if !s.more('}') {
			break
		}
	}
	if mark.isTrue {
		s.placeholder(num)
	}
}

func (s *argScanner) placeholder(num scalar) {
	if !num.isInt || num.num >= s.attachments {
		s.fail(argsPlaceholder)
		return
	}
	s.named |= 1 << num.num
}

// str reads a string and returns what stands in it when it may be the name of a
// placeholder's field, decoded; of other strings with escapes it returns "".
func (s *argScanner) str() string {
	if s.peek() != '"' {
		s.fail(argsSyntax)
		return ""
	}
	start := s.pos
	s.pos++
	escaped := false
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			if escaped {
				return unescape(s.text[start:s.pos])
			}
			return s.text[start+1 : s.pos-1]
		case c == '\\':
			escaped = true
			if !s.escape() {
				s.fail(argsSyntax)
				return ""
			}
		case c < 0x20:
			s.fail(argsSyntax)
			return ""
		default:
			s.pos++
		}
	}
	s.fail(argsSyntax)
	return ""
}

func (s *argScanner) escape() bool {
	rest := s.text[s.pos+1:]
	if rest == "" {
		return false
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	case 'u':
		if len(rest) < 5 {
			return false
		}
		for _, c := range []byte(rest[1:5]) {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return false
			}
		}
		s.pos += 6
		return true
	}
	return false
}

// unescape decodes a quoted string that is short enough to spell a placeholder's
// field: "_placeholder" is 12 characters, each at most a six-byte escape.
func unescape(quoted string) string {
	if len(quoted) > 2+6*len("_placeholder") {
		return ""
	}
	var out string
	if json.Unmarshal([]byte(quoted), &out) != nil {
		return ""
	}
	return out
}

func (s *argScanner) digits() int {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos - start
}

func (s *argScanner) number() scalar {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	lead := s.peek()
	n := s.digits()
	if n == 0 || lead == '0' && n > 1 {
		s.fail(argsSyntax)
		return scalar{}
	}
	whole := s.pos
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			s.fail(argsSyntax)
			return scalar{}
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			s.fail(argsSyntax)
			return scalar{}
		}
	}
	// Attachments are few: two digits are enough, and no overflow to think of.
	if s.pos != whole || s.text[start] == '-' || n > 2 {
		return scalar{}
	}
	v := scalar{isInt: true}
	for _, c := range []byte(s.text[start:whole]) {
		v.num = v.num*10 + int(c-'0')
	}
	return v
}
