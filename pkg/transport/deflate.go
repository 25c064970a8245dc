package transport

import (
	"bytes"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflateLevel is the fastest: 8 us for 1 KiB and 0.13 ms for 64 KiB of JSON,
// to a quarter and a fifth of its size.
const deflateLevel = 1

// deflaters are half a megabyte each. Compressing never waits, so that there are
// about as many as processors.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, deflateLevel) // the level is one that there is
	return w
}}

// syncMark ends what has been flushed. WebSocket messages go without (RFC 7692,
// section 7.2.1).
var syncMark = []byte{0, 0, 0xff, 0xff}

// appendDeflate appends data compressed, by itself: nothing of what came before
// is referred to. final ends the stream; otherwise it is cut before the mark.
func appendDeflate(dst, data []byte, final bool) []byte {
	out := bytes.NewBuffer(dst)
	w := deflaters.Get().(*flate.Writer)
	w.Reset(out)
	_, _ = w.Write(data) // a buffer takes everything
	if final {
		_ = w.Close()
	} else {
		_ = w.Flush()
		out.Truncate(out.Len() - len(syncMark))
	}
	w.Reset(nil)
	deflaters.Put(w)
	return out.Bytes()
}

const (
	// rsv1 marks the first frame of a compressed message.
	rsv1 = 0x40
	// leastDeflate is what compression would make longer, or hardly shorter.
	leastDeflate = 128
)

// appendPacked appends payload as a compressed WebSocket message, or as it is
// when that is not longer.
func appendPacked(dst []byte, op byte, payload []byte) []byte {
	if len(payload) >= leastDeflate {
		buf := messagePool.Get().(*[]byte)
		*buf = appendDeflate((*buf)[:0], payload, false)
		if n := len(*buf); n < len(payload) {
			dst = append(appendHeader(dst, op|rsv1, n), *buf...)
			recycle(buf)
			return dst
		}
		recycle(buf)
	}
	return append(appendHeader(dst, op, len(payload)), payload...)
}

// recycle gives a message buffer back, unless it has become too large.
func recycle(buf *[]byte) {
	if cap(*buf) <= keepMessage {
		messagePool.Put(buf)
	}
}

// offersDeflate tells whether a client can take what appendPacked makes. An
// offer that wants a smaller window of us, or that is not understood, is
// declined (RFC 7692, section 7).
func offersDeflate(r *http.Request) bool {
	for _, line := range r.Header["Sec-Websocket-Extensions"] {
		for offer := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") && suits(params) {
				return true
			}
		}
	}
	return false
}

func suits(params string) bool {
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch key = strings.ToLower(strings.TrimSpace(key)); {
		case key == "server_no_context_takeover", key == "client_no_context_takeover", key == "client_max_window_bits":
		case key == "server_max_window_bits" && strings.Trim(value, ` "`) == "15":
		default:
			return false
		}
	}
	return true
}

// deflates turns compression on for a link. Its session has binary frames: who
// asked for base64 has no use for it.
func (s *Session) deflates(r *http.Request) bool {
	return s.srv.cfg.Deflate && (s.form == wsV4 || s.form == wsV3) && offersDeflate(r)
}

// Proven says that the client has shown who it is. From now on its compressed
// messages may be as large as any.
func (s *Session) Proven() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proven = true
}

func (s *Session) isProven() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proven
}

// mostInflated is how large a message may become; 0 when that is the length of
// its frames, which the library bounds.
func (l *link) mostInflated() int {
	switch {
	case !l.deflate:
		return 0
	case l.s.isProven():
		return l.s.srv.cfg.MaxPayload
	}
	return min(l.s.srv.cfg.DeflateUnproven, l.s.srv.cfg.MaxPayload)
}

// encoded is a frame as this link sends it.
func (l *link) encoded(f *Frame) []byte {
	if l.deflate && f.size >= l.s.srv.cfg.DeflateAbove {
		return f.wire(l.s.form + deflateForms)
	}
	return f.wire(l.s.form)
}
