package engineio

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Separator stands between the packets of a generation 4 payload.
const Separator = '\x1e'

// Form is how the packets of a payload are put together.
type Form uint8

const (
	FormV4      Form = iota // packets joined by Separator
	FormText3               // generation 3: length in UTF-16 units, colon, packet
	FormBinary3             // generation 3: lengths and packets as bytes
)

// FormOf is the form of a payload of generation v; octets tells that it came,
// or may go, as application/octet-stream.
func FormOf(v Version, octets bool) Form {
	switch {
	case v != V3:
		return FormV4
	case octets:
		return FormBinary3
	default:
		return FormText3
	}
}

// Payload reads the packets of a POST body one after the other, without
// copying: packets alias the body, which is overwritten where it holds base64.
type Payload struct {
	rest []byte
	form Form
	more bool // a packet must follow: at the start, and after a separator
}

// NewPayload starts to read body. Text that is not UTF-8 is malformed.
func NewPayload(body []byte, f Form) Payload {
	if f != FormBinary3 && !utf8.Valid(body) {
		body = nil // an empty body is malformed in every form
	}
	return Payload{rest: body, form: f, more: true}
}

// Next is the next packet, io.EOF after the last, or ErrParse. What came before
// an error is valid, what follows it is not looked at.
func (p *Payload) Next() (Packet, error) {
	switch p.form {
	case FormText3:
		return p.nextText3()
	case FormBinary3:
		return p.nextBinary3()
	default:
		return p.nextV4()
	}
}

func (p *Payload) nextV4() (Packet, error) {
	if !p.more {
		return Packet{}, io.EOF
	}
	element := p.rest
	if i := bytes.IndexByte(p.rest, Separator); i >= 0 {
		element, p.rest = p.rest[:i], p.rest[i+1:]
	} else {
		p.rest, p.more = nil, false
	}
	pkt, err := DecodeText(element, V4)
	if err != nil {
		p.rest, p.more = nil, false
	}
	return pkt, err
}

// AppendElement appends a text packet as an element of a payload. first tells
// that nothing stands before it in the payload.
func AppendElement(dst []byte, t Type, data []byte, f Form, first bool) []byte {
	switch f {
	case FormText3:
		return appendText3(dst, t, data)
	case FormBinary3:
		return appendTextBinary3(dst, t, data)
	default:
		if !first {
			dst = append(dst, Separator)
		}
		return AppendText(dst, t, data)
	}
}

// AppendBinaryElement appends a binary message as an element of a payload.
func AppendBinaryElement(dst []byte, data []byte, f Form, first bool) []byte {
	switch f {
	case FormText3:
		return appendBase64Text3(dst, data)
	case FormBinary3:
		return appendBinary3(dst, data)
	default:
		if !first {
			dst = append(dst, Separator)
		}
		return AppendBase64(dst, data, V4)
	}
}
