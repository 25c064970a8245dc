package transport

import (
	"sync/atomic"

	"sluice/pkg/engineio"
)

// form is a wire form of a frame.
type form uint8

const (
	wsV4         form = iota // WebSocket frames, generation 4
	wsV3                     // WebSocket frames, generation 3
	wsV4Base64               // the same for clients that asked for b64=1
	wsV3Base64               //
	pollV4                   // elements of a payload
	pollV3                   //
	pollV3Octets             // elements of a payload with binary
	forms

	// Forms that few frames need: they share one pointer.
	pollV4Gzip       form = iota - 1 // whole payloads, compressed
	pollV3Gzip                       //
	pollV3OctetsGzip                 //
	wsV4Deflate                      // WebSocket frames, compressed
	wsV3Deflate                      //
	allForms

	gzipForms    = pollV4Gzip - pollV4 // from an element's form to that of a payload
	deflateForms = wsV4Deflate - wsV4
)

// rareForms are those above forms.
type rareForms [allForms - forms]atomic.Pointer[[]byte]

// wsForm is the form for a WebSocket.
func wsForm(v engineio.Version, b64 bool) form {
	switch {
	case v == engineio.V3 && b64:
		return wsV3Base64
	case v == engineio.V3:
		return wsV3
	case b64:
		return wsV4Base64
	}
	return wsV4
}

// version is the generation that a WebSocket's form is of.
func (w form) version() engineio.Version {
	if w == wsV3 || w == wsV3Base64 {
		return engineio.V3
	}
	return engineio.V4
}

// wire is the frame in one of its forms. Two callers at the same time may both
// build it; one result is kept.
func (f *Frame) wire(w form) []byte {
	slot := f.slot(w)
	if b := slot.Load(); b != nil {
		return *b
	}
	var b []byte
	switch {
	case w < pollV4 && w != wsV4 && !f.hasBinary():
		b = f.wire(wsV4) // text is the same for all
	case w == wsV3Deflate && !f.hasBinary():
		b = f.wire(wsV4Deflate)
	default:
		b = f.appendForm(make([]byte, 0, f.size+f.size/16+16), w)
	}
	if !slot.CompareAndSwap(nil, &b) {
		return *slot.Load()
	}
	return b
}

// slot is where a form is kept.
func (f *Frame) slot(w form) *atomic.Pointer[[]byte] {
	if w < forms {
		return &f.forms[w]
	}
	rare := f.rare.Load()
	if rare == nil {
		f.rare.CompareAndSwap(nil, new(rareForms))
		rare = f.rare.Load()
	}
	return &rare[w-forms]
}

func (f *Frame) appendForm(dst []byte, w form) []byte {
	switch {
	case w == wsV4Deflate || w == wsV3Deflate:
		return f.appendPacked(dst, w)
	case w >= pollV4Gzip:
		return appendEncoded(dst, f.wire(w-gzipForms), gzipped)
	}
	if len(f.joined) > 0 {
		for i, sub := range f.joined {
			if i > 0 && w == pollV4 {
				dst = append(dst, engineio.Separator)
			}
			dst = sub.appendForm(dst, w)
		}
		return dst
	}
	if w >= pollV4 {
		return f.appendElements(dst, w)
	}
	return f.appendFrames(dst, w)
}

// appendElements appends the frame as elements of a payload.
func (f *Frame) appendElements(dst []byte, w form) []byte {
	shape := engineio.FormV4
	switch w {
	case pollV3:
		shape = engineio.FormText3
	case pollV3Octets:
		shape = engineio.FormBinary3
	}
	if f.hasText {
		dst = engineio.AppendElement(dst, f.kind, f.text, shape, true)
	}
	for i, a := range f.attachments {
		dst = engineio.AppendBinaryElement(dst, a, shape, i == 0 && !f.hasText)
	}
	return dst
}

// appendFrames appends the frame as WebSocket frames.
func (f *Frame) appendFrames(dst []byte, w form) []byte {
	v := engineio.V4
	if w == wsV3 || w == wsV3Base64 {
		v = engineio.V3
	}
	if f.hasText {
		dst = appendHeader(dst, opText, 1+len(f.text))
		dst = engineio.AppendText(dst, f.kind, f.text)
	}
	for _, a := range f.attachments {
		if w == wsV4Base64 || w == wsV3Base64 {
			dst = appendHeader(dst, opText, engineio.Base64Len(a, v))
			dst = engineio.AppendBase64(dst, a, v)
			continue
		}
		dst = appendHeader(dst, opBinary, engineio.BinaryLen(a, v))
		dst = engineio.AppendBinary(dst, a, v)
	}
	return dst
}

// appendPacked appends the frame as compressed WebSocket frames.
func (f *Frame) appendPacked(dst []byte, w form) []byte {
	for _, sub := range f.joined {
		dst = append(dst, sub.wire(w)...) // which others may have had alone
	}
	v := engineio.V4
	if w == wsV3Deflate {
		v = engineio.V3
	}
	buf := messagePool.Get().(*[]byte)
	defer recycle(buf)
	if f.hasText {
		*buf = engineio.AppendText((*buf)[:0], f.kind, f.text)
		dst = appendPacked(dst, opText, *buf)
	}
	for _, a := range f.attachments {
		*buf = engineio.AppendBinary((*buf)[:0], a, v)
		dst = appendPacked(dst, opBinary, *buf)
	}
	return dst
}
