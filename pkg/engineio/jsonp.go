package engineio

import (
	"bytes"
	"unicode/utf8"
)

// AppendJSONP appends payload as the call of a script that the client waits
// for: ___eio[<digits of j>]("…");. Only the digits of j are used, and the
// payload is escaped so that the result is JavaScript whatever it holds.
func AppendJSONP(dst []byte, j string, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	for i := 0; i < len(j); i++ {
		if j[i] >= '0' && j[i] <= '9' {
			dst = append(dst, j[i])
		}
	}
	dst = append(dst, `]("`...)
	dst = appendEscaped(dst, payload)
	return append(dst, `");`...)
}

// appendEscaped escapes as JSON.stringify does, and the two line separators
// that JSON allows in strings but old JavaScript does not.
func appendEscaped(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c == 0xe2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xa8:
			dst = append(dst, '\\', 'u', '2', '0', '2', '8'+text[i+2]&1)
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// DecodeJSONP takes the payload out of the form that a JSONP client posts
// (d=<payload>). It works in place: body is overwritten. Not ok means that
// there is no d, or that it is not a form.
func DecodeJSONP(body []byte) (payload []byte, ok bool) {
	for len(body) > 0 {
		field := body
		if i := bytes.IndexByte(body, '&'); i >= 0 {
			field, body = body[:i], body[i+1:]
		} else {
			body = nil
		}
		value, found := bytes.CutPrefix(field, []byte("d="))
		if !found {
			continue
		}
		if value, ok = unescapeForm(value); !ok || !utf8.Valid(value) {
			return nil, false
		}
		return unescapeNewlines(value), true
	}
	return nil, false
}

// unescapeForm undoes form encoding in place.
func unescapeForm(v []byte) ([]byte, bool) {
	n := 0
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(v) {
				return nil, false
			}
			hi, lo := unhex(v[i+1]), unhex(v[i+2])
			if hi > 15 || lo > 15 {
				return nil, false
			}
			c = hi<<4 | lo
			i += 2
		}
		v[n] = c
		n++
	}
	return v[:n], true
}

// unescapeNewlines undoes in place what clients do because forms change line
// ends: \n stands for a line feed, and \\n for those two characters \n.
func unescapeNewlines(v []byte) []byte {
	n := 0
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '\\' && i+2 < len(v) && v[i+1] == '\\' && v[i+2] == 'n':
			i++ // drop one backslash of two, and take the n as it is
			v[n] = '\\'
			n++
			i++
			c = 'n'
		case c == '\\' && i+1 < len(v) && v[i+1] == 'n':
			c = '\n'
			i++
		}
		v[n] = c
		n++
	}
	return v[:n]
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
