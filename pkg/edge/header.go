package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY header says.
type Header struct {
	// Source is the client's address. It is zero when the header speaks of no
	// client: v1 UNKNOWN, v2 LOCAL (the proxy itself, as in its health checks)
	// and v2 without a family. Then the peer is who it is.
	Source netip.AddrPort
}

// ErrHeader is a PROXY header that breaks the protocol, or the lack of one.
var ErrHeader = errors.New("edge: malformed PROXY header")

const (
	minHeader = 15  // "PROXY UNKNOWN\r\n", the shortest of all
	maxLine   = 107 // v1, with its end
	v2Fixed   = 16
)

var v2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// ParseHeader reads a PROXY header, version 1 or 2, of which b is what has come
// so far. need is how many bytes are certain to belong to it still: read exactly
// these and call again, so that nothing of what follows is ever taken. It is 0
// when the header is complete, or wrong. most bounds the length of a header of
// version 2 behind its first 16 bytes.
func ParseHeader(b []byte, most int) (h Header, need int, err error) {
	n := min(len(b), len(v2Signature))
	switch {
	case n == 0:
		return Header{}, minHeader, nil
	case bytes.Equal(b[:n], v2Signature[:n]):
		return parseV2(b, most)
	case bytes.HasPrefix(b, []byte("PROXY ")), strings.HasPrefix("PROXY ", string(b)):
		return parseV1(b)
	}
	return Header{}, 0, ErrHeader
}

// parseV1 reads one line: PROXY TCP4 192.0.2.1 198.51.100.1 56324 443.
func parseV1(b []byte) (Header, int, error) {
	if len(b) < minHeader {
		return Header{}, minHeader - len(b), nil
	}
	line, found := bytes.CutSuffix(b, []byte("\r\n"))
	if len(b) > maxLine || bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line[:len(line)-1], '\r') >= 0 {
		return Header{}, 0, ErrHeader
	}
	if !found {
		need := 2 // the end, at least
		if line[len(line)-1] == '\r' {
			need = 1
		}
		if len(b)+need > maxLine {
			return Header{}, 0, ErrHeader
		}
		return Header{}, need, nil
	}
	if line[len(line)-1] == '\r' {
		return Header{}, 0, ErrHeader
	}
	fields := strings.Split(string(line), " ")
	if fields[1] == "UNKNOWN" {
		return Header{}, 0, nil // what follows is to be ignored
	}
	if len(fields) != 6 {
		return Header{}, 0, ErrHeader
	}
	source, ok := v1Address(fields[1], fields[2], fields[4])
	if _, fine := v1Address(fields[1], fields[3], fields[5]); !ok || !fine {
		return Header{}, 0, ErrHeader
	}
	return Header{Source: source}, 0, nil
}

func v1Address(family, host, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" || family == "TCP4" && !a.Is4() || family == "TCP6" && !a.Is6() {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port != strconv.FormatUint(n, 10) || family != "TCP4" && family != "TCP6" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

// Version 2: the signature, 0x20 LOCAL or 0x21 PROXY, family and transport, two
// bytes of length, and as much: addresses, ports, type-length-values.
const (
	v2Local = 0x20
	v2Proxy = 0x21
	v2None  = 0x00
	v2TCP4  = 0x11
	v2TCP6  = 0x21
)

func parseV2(b []byte, most int) (Header, int, error) {
	if len(b) < v2Fixed {
		// A line is no shorter than this but for one byte, and the signature has
		// told them apart by its first one.
		return Header{}, v2Fixed - len(b), nil
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	if b[12] != v2Local && b[12] != v2Proxy || length > most {
		return Header{}, 0, ErrHeader
	}
	if have := len(b) - v2Fixed; have != length {
		return Header{}, max(length-have, 0), headerIf(have > length)
	}
	if b[12] == v2Local {
		return Header{}, 0, nil // the rest is to be skipped, the family, too
	}
	body := b[v2Fixed:]
	var h Header
	size := 0
	switch b[13] {
	case v2None:
	case v2TCP4:
		size = 4
	case v2TCP6:
		size = 16
	default:
		return Header{}, 0, ErrHeader
	}
	addresses := 2*size + 4
	if size == 0 {
		addresses = 0
	}
	if len(body) < addresses || !validTLVs(b, v2Fixed+addresses) {
		return Header{}, 0, ErrHeader
	}
	if size > 0 {
		a, _ := netip.AddrFromSlice(body[:size])
		h.Source = netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(body[2*size:]))
	}
	return h, 0, nil
}

func headerIf(wrong bool) error {
	if wrong {
		return ErrHeader
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// validTLVs tells whether the values from at on fill the header, and its
// checksum, if it has one, is right.
func validTLVs(b []byte, at int) bool {
	const checksum, head = 0x03, 3
	for at < len(b) {
		if len(b)-at < head {
			return false
		}
		length := int(binary.BigEndian.Uint16(b[at+1:]))
		value := at + head
		if length > len(b)-value {
			return false
		}
		if b[at] == checksum {
			if length != 4 {
				return false
			}
			sum := crc32.Update(0, castagnoli, b[:value])
			sum = crc32.Update(sum, castagnoli, make([]byte, 4))
			sum = crc32.Update(sum, castagnoli, b[value+4:])
			if sum != binary.BigEndian.Uint32(b[value:]) {
				return false
			}
		}
		at = value + length
	}
	return true
}
