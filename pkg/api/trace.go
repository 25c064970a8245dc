package api

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"google.golang.org/grpc/metadata"

	"sluice/pkg/id"
)

// traceparent returns the caller's W3C trace context, or one made from the message
// id and this process's random half, so that a trace is found from a mid in a log.
// What is made here is not sampled.
func (s *Server) traceparent(ctx context.Context, mid id.Message) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("traceparent"); len(v) == 1 && isTraceparent(v[0]) {
		return v[0]
	}
	var half [8]byte
	binary.BigEndian.PutUint64(half[:], uint64(mid))
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, s.seed[:])
	b = hex.AppendEncode(b, half[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, half[:])
	b = append(b, "-00"...)
	return string(b)
}

// isTraceparent checks the shape; what is not hexadecimal never reaches a record.
func isTraceparent(v string) bool {
	if len(v) != 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return false
	}
	for _, part := range []string{v[:2], v[3:35], v[36:52], v[53:]} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	return true
}
