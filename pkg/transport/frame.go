package transport

import (
	"sync/atomic"

	"sluice/pkg/engineio"
)

// Frame is what Send takes: one Engine.IO message, or a text message followed
// by the binary ones that belong to it. It is immutable and shared by any
// number of sessions; its wire forms are built when the first session needs
// them, once each.
type Frame struct {
	kind        engineio.Type // Message, or a control packet of the transport's own
	hasText     bool
	text        []byte
	attachments [][]byte
	joined      []*Frame // instead of all above

	packets int // how many Engine.IO packets
	size    int // bytes, about; for backlogs

	forms [forms]atomic.Pointer[[]byte]
	rare  atomic.Pointer[rareForms]
}

// NewFrame makes a frame of one text message and the binary messages that
// follow it. It keeps the slices: do not change them afterwards. text must be
// valid UTF-8.
func NewFrame(text []byte, attachments ...[]byte) *Frame {
	f := &Frame{kind: engineio.Message, hasText: true, text: text, attachments: attachments}
	f.measure()
	return f
}

// NewBinaryFrame makes a frame of one binary message. It keeps the slice.
func NewBinaryFrame(data []byte) *Frame {
	f := &Frame{kind: engineio.Message, attachments: [][]byte{data}}
	f.measure()
	return f
}

// Join makes one frame of several, to be sent in their order. Receivers see the
// same messages as if each had been sent alone, but they leave in one system
// call, and the contiguous form is built once for all receivers. Use it when
// jobs for the same receivers have piled up.
func Join(frames ...*Frame) *Frame {
	if len(frames) == 1 {
		return frames[0]
	}
	f := &Frame{kind: engineio.Message, joined: frames}
	for _, sub := range frames {
		f.packets += sub.packets
		f.size += sub.size
	}
	return f
}

// Len is about how many bytes the frame takes on the wire.
func (f *Frame) Len() int { return f.size }

// newControl makes a frame of one packet that is not a message.
func newControl(kind engineio.Type, data []byte) *Frame {
	f := &Frame{kind: kind, hasText: true, text: data}
	f.measure()
	return f
}

// frameOverhead is about what goes around a message: header and type.
const frameOverhead = 5

func (f *Frame) measure() {
	if f.hasText {
		f.packets, f.size = 1, len(f.text)+frameOverhead
	}
	for _, a := range f.attachments {
		f.packets++
		f.size += len(a) + frameOverhead
	}
}

// hasBinary tells whether any message of the frame is binary.
func (f *Frame) hasBinary() bool {
	for _, sub := range f.joined {
		if sub.hasBinary() {
			return true
		}
	}
	return len(f.attachments) > 0
}
