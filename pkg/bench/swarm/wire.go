package swarm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
)

// WebSocket opcodes.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

// maxFrame bounds what a server may announce, and so what a client holds.
const maxFrame = 16 << 20

var (
	errFrame = errors.New("swarm: bad frame")
	errHead  = errors.New("swarm: bad HTTP response")
)

// frame is one WebSocket frame of a server; payload aliases the input.
type frame struct {
	op      byte
	fin     bool
	payload []byte
}

// parseFrame reads the frame at the beginning of buf; a size of 0 means that
// it is not complete.
func parseFrame(buf []byte) (f frame, size int, err error) {
	if len(buf) < 2 {
		return frame{}, 0, nil
	}
	if buf[0]&0x70 != 0 || buf[1]&0x80 != 0 {
		return frame{}, 0, errFrame // no extension was asked for, and servers do not mask
	}
	head, length := 2, uint64(buf[1])
	switch length {
	case 126:
		if head = 4; len(buf) < head {
			return frame{}, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(buf[2:]))
	case 127:
		if head = 10; len(buf) < head {
			return frame{}, 0, nil
		}
		length = binary.BigEndian.Uint64(buf[2:])
	}
	if length > maxFrame {
		return frame{}, 0, errFrame
	}
	size = head + int(length)
	if len(buf) < size {
		return frame{}, 0, nil
	}
	return frame{op: buf[0] & 0xf, fin: buf[0]&0x80 != 0, payload: buf[head:size]}, size, nil
}

// appendFrame appends a frame as clients send it. The mask is zero, which is
// allowed and costs the server the same: the payload goes out as it is.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

// appendHandshake appends the request that opens a session over WebSocket. The
// key is the one of RFC 6455's example: nobody here is fooled by a cache.
func appendHandshake(dst []byte, host, path string) []byte {
	dst = append(append(dst, "GET "...), path...)
	dst = append(append(dst, "?EIO=4&transport=websocket HTTP/1.1\r\nHost: "...), host...)
	return append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"...)
}

// parseHead reads the head of the answer; a size of 0 means that it is not
// complete.
func parseHead(buf []byte) (status, size int, err error) {
	end := bytes.Index(buf, []byte("\r\n\r\n"))
	if end < 0 {
		if len(buf) > 16<<10 {
			return 0, 0, errHead
		}
		return 0, 0, nil
	}
	if len(buf) < 12 || !bytes.HasPrefix(buf, []byte("HTTP/1.1 ")) {
		return 0, 0, errHead
	}
	status, err = strconv.Atoi(string(buf[9:12]))
	if err != nil {
		return 0, 0, errHead
	}
	return status, end + 4, nil
}

// Mark is what a counted message carries. An event upstream has its client's
// number in the place of the stream's.
type Mark struct {
	Stream, Number uint32
	At             int64
}

// AppendMark appends the first argument of a counted message, with quotes.
func AppendMark(dst []byte, stream, number uint32, at int64) []byte {
	dst = strconv.AppendUint(append(dst, '"'), uint64(stream), 10)
	dst = strconv.AppendUint(append(dst, '.'), uint64(number), 10)
	return append(strconv.AppendInt(append(dst, '.'), at, 10), '"')
}

// ParseMark reads the mark that a list of arguments begins with.
func ParseMark(args []byte) (Mark, bool) {
	rest, found := bytes.CutPrefix(args, []byte(`["`))
	if !found {
		return Mark{}, false
	}
	return parseMark(rest)
}

// parseMark reads a mark behind its quote.
func parseMark(text []byte) (m Mark, ok bool) {
	var parts [3]uint64
	for i := range parts {
		n, rest, ok := parseDigits(text)
		if !ok || len(rest) == 0 || rest[0] != `.."`[i] {
			return Mark{}, false
		}
		parts[i], text = n, rest[1:]
	}
	const most = 1 << 31
	if parts[0] >= most || parts[1] == 0 || parts[1] >= most {
		return Mark{}, false
	}
	return Mark{Stream: uint32(parts[0]), Number: uint32(parts[1]), At: int64(parts[2])}, true
}

// parseDigits reads the number at the beginning of text, of 18 digits at most.
func parseDigits(text []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for i < len(text) && i < 18 && text[i] >= '0' && text[i] <= '9' {
		n = n*10 + uint64(text[i]-'0')
		i++
	}
	return n, text[i:], i > 0
}

// splitPacket takes the ack id off a Socket.IO packet of the namespace "/":
// what is behind the type.
func splitPacket(text []byte) (id uint64, hasID bool, data []byte) {
	id, data, hasID = parseDigits(text)
	return id, hasID, data
}
