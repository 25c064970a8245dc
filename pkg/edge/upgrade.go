package edge

import (
	"bufio"
	"bytes"
	"net/http"
	"sync"
)

// head is a request's, as it was read. Heads are used again: what of a request
// outlives its handler is copied out of them.
type head struct {
	buf [headBytes]byte
	src bytes.Reader
	in  *bufio.Reader
}

// headBytes is what net/http reads at once. A longer head is left to it, and
// what was read of it fits its buffer.
const headBytes = 4096

var heads = sync.Pool{New: func() any {
	h := &head{}
	h.in = bufio.NewReaderSize(&h.src, headBytes)
	return h
}}

// request parses b when it is a plain request for a WebSocket. Everything else is
// nil, and for net/http to judge; as is what filled the buffer, so that there may
// be more. read is how much was read at once.
func (h *head) request(b []byte, read int) *http.Request {
	if read == len(h.buf) || !plainUpgrade(b) {
		return nil
	}
	h.src.Reset(b)
	h.in.Reset(&h.src)
	r, err := http.ReadRequest(h.in)
	if err != nil || h.in.Buffered() > 0 || h.src.Len() > 0 {
		return nil
	}
	return r
}

// plainUpgrade tells whether b is, to its last byte, the head of a GET for a
// WebSocket of a new session, in the plain form that browsers and clients use.
// Nothing in it may be read in two ways or asks for more than a handler: no
// body, no second Host, no folded lines, no bytes but visible ASCII. What is
// refused here is not wrong; it goes the longer way.
func plainUpgrade(b []byte) bool {
	line, rest, ok := cutLine(b)
	if !ok || !plainTarget(line) {
		return false
	}
	hosts, upgrades := 0, 0
	for len(rest) > 0 {
		if line, rest, ok = cutLine(rest); !ok {
			return false
		}
		if len(line) == 0 {
			return len(rest) == 0 && hosts == 1 && upgrades == 1
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !all(name, inName) || !all(value, inValue) {
			return false
		}
		switch {
		case is(name, "host"):
			hosts++
			if !all(bytes.Trim(value, " "), inHost) {
				return false
			}
		case is(name, "upgrade"):
			upgrades++
		case is(name, "content-length"), is(name, "transfer-encoding"), is(name, "trailer"), is(name, "expect"):
			return false
		}
	}
	return false
}

// cutLine cuts b behind its first line.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// plainTarget checks a request's first line. A sid names a session that is there
// already, and whose handler may take its time.
func plainTarget(line []byte) bool {
	target, ok := bytes.CutPrefix(line, []byte("GET "))
	if !ok {
		return false
	}
	if target, ok = bytes.CutSuffix(target, []byte(" HTTP/1.1")); !ok {
		return false
	}
	path, query, _ := bytes.Cut(target, []byte("?"))
	if len(path) == 0 || path[0] != '/' || !all(path, inPath) {
		return false
	}
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if !all(key, inName) || string(key) == "sid" || len(value) > 0 && !all(value, inQuery) {
			return false
		}
	}
	return true
}

// is compares a header's name, as it was sent, with one in lower case.
func is(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Where a byte may stand.
const (
	inName uint8 = 1 << iota
	inHost
	inPath
	inQuery
	inValue
)

// places has the places of each byte.
var places = func() (t [256]uint8) {
	for c := byte(' '); c <= '~'; c++ {
		t[c] |= inValue
	}
	const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for place, others := range map[uint8]string{
		inName: "-_", inHost: "-_.:[]", inPath: "/-_.~", inQuery: "/-_.~!$'()*+,;:@=%?",
	} {
		for _, c := range []byte(alphanumeric + others) {
			t[c] |= place
		}
	}
	return t
}()

// all tells that b is not empty, and that each of its bytes may stand there.
func all(b []byte, place uint8) bool {
	for _, c := range b {
		if places[c]&place == 0 {
			return false
		}
	}
	return len(b) > 0
}
