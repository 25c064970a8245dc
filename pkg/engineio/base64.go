package engineio

import "encoding/base64"

// decodeChunk is a multiple of four: one step of decoding in place.
const decodeChunk = 512

// AppendBase64 appends a binary message as text, for payloads and for clients
// that asked for b64=1.
func AppendBase64(dst []byte, data []byte, v Version) []byte {
	dst = append(dst, binaryMark)
	if v == V3 {
		dst = append(dst, '0'+byte(Message))
	}
	return base64.StdEncoding.AppendEncode(dst, data)
}

// Base64Len is the number of bytes that AppendBase64 appends.
func Base64Len(data []byte, v Version) int {
	n := 1 + base64.StdEncoding.EncodedLen(len(data))
	if v == V3 {
		n++
	}
	return n
}

// decodeBase64 decodes what follows the b.
func decodeBase64(data []byte, v Version) (Packet, error) {
	t := Message
	if v == V3 {
		if len(data) == 0 {
			return Packet{}, ErrParse
		}
		var err error
		if t, err = textType(data[0]); err != nil {
			return Packet{}, err
		}
		data = data[1:]
	}
	out, ok := decodeInPlace(data)
	if !ok {
		return Packet{}, ErrParse
	}
	return Packet{Type: t, Binary: true, Data: out}, nil
}

// decodeInPlace writes the decoded bytes over the front of data. It goes
// through a buffer on the stack, because base64 does not promise to work on
// overlapping slices. Padding may be missing, as some clients leave it out.
func decodeInPlace(data []byte) ([]byte, bool) {
	var buf [decodeChunk / 4 * 3]byte
	enc := base64.StdEncoding
	if len(data)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	n := 0
	for i := 0; i < len(data); i += decodeChunk {
		chunk := data[i:min(i+decodeChunk, len(data))]
		m, err := enc.Decode(buf[:], chunk)
		if err != nil {
			return nil, false
		}
		if len(chunk) == decodeChunk && m != len(buf) && i+decodeChunk < len(data) {
			return nil, false // padding, or a line break, in the middle
		}
		n += copy(data[n:], buf[:m])
	}
	return data[:n], true
}
