package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strings"

	"sluice/pkg/id"
)

// appendTraceparent makes the W3C trace context of an event from its message
// id: the trace id is this process's random half and the mid, so that a trace
// can be found from a mid in a log and back. Nothing is sampled by default.
func (g *Gateway) appendTraceparent(dst []byte, mid id.Message) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(mid))
	dst = hex.AppendEncode(append(dst, "00-"...), g.traceSeed[:])
	dst = hex.AppendEncode(dst, raw[:])
	dst = hex.AppendEncode(append(dst, '-'), raw[:])
	return append(dst, "-00"...)
}

// traceparentOf returns the client's own trace context; "" unless it has the
// shape of one.
func traceparentOf(r *http.Request) string {
	v := r.Header.Get("Traceparent")
	if len(v) != 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return ""
	}
	for _, part := range []string{v[:2], v[3:35], v[36:52], v[53:]} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return ""
		}
	}
	return strings.Clone(v)
}
