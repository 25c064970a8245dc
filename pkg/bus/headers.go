package bus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/pkg/id"
)

// The names of the routing headers in Kafka.
const (
	headerMid           = "X-Mid"
	headerSocket        = "X-ID"
	headerUser          = "X-Uid"
	headerDoc           = "X-Guid"
	headerInner         = "X-Inner"
	headerEvent         = "X-Event"
	headerLocale        = "X-Locale"
	headerOperator      = "X-Operator"
	headerAuthType      = "X-Auth-Type"
	headerClientVersion = "X-Client-Version"
	headerServerVersion = "X-Server-Version"
	headerPushClientID  = "X-Push-Client-ID"
	headerTraceID       = "X-Trace-ID"

	// headerStamp is followed by the name of a stage; its value is the time in decimal
	// Unix microseconds.
	headerStamp = "X-At-"
)

// maxStamps bounds the stamps that are read; more are ignored.
const maxStamps = 16

// appendHeaders appends the Kafka headers of h, without the empty ones, as they stand in
// a record: their number, then each name and value with its length.
func appendHeaders(dst []byte, h *Headers) []byte {
	dst = appendLength(dst, h.count())
	if h.Mid != 0 {
		dst = h.Mid.Append(appendHeaderOf(dst, headerMid, id.TextLen))
	}
	if h.Socket != 0 {
		dst = h.Socket.Append(appendHeaderOf(dst, headerSocket, id.TextLen))
	}
	dst = appendHeader(dst, headerUser, string(h.User))
	dst = appendHeader(dst, headerDoc, string(h.Doc))
	dst = appendHeader(dst, headerInner, h.Inner)
	dst = appendHeader(dst, headerEvent, string(h.Event))
	dst = appendHeader(dst, headerLocale, h.Locale)
	dst = appendHeader(dst, headerOperator, string(h.Operator))
	dst = appendHeader(dst, headerAuthType, h.AuthType)
	dst = appendHeader(dst, headerClientVersion, h.ClientVersion)
	dst = appendHeader(dst, headerServerVersion, h.ServerVersion)
	dst = appendHeader(dst, headerPushClientID, h.PushClientID)
	if h.TraceID != "" {
		dst = appendHeader(dst, headerTraceID, h.TraceID)
	} else {
		dst = appendHeader(dst, headerTraceID, h.Trace)
	}
	for _, s := range h.Stamps {
		var decimal [20]byte
		dst = appendLength(dst, len(headerStamp)+len(s.Stage))
		dst = append(append(dst, headerStamp...), s.Stage...)
		dst = appendSized(dst, strconv.AppendInt(decimal[:0], s.At.UnixMicro(), 10))
	}
	return dst
}

// count is how many headers there are.
func (h *Headers) count() int {
	n := len(h.Stamps)
	for _, set := range [...]bool{
		h.Mid != 0, h.Socket != 0, h.User != "", h.Doc != "", h.Inner != "", h.Event != "", h.Locale != "", h.Operator != "",
		h.AuthType != "", h.ClientVersion != "", h.ServerVersion != "", h.PushClientID != "", h.TraceID != "" || len(h.Trace) > 0,
	} {
		if set {
			n++
		}
	}
	return n
}

func appendHeader[T string | []byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(appendHeaderOf(dst, name, len(value)), value...)
}

// appendHeaderOf announces a value of n bytes, which the caller appends.
func appendHeaderOf(dst []byte, name string, n int) []byte {
	return appendLength(appendSized(dst, name), n)
}

// decodeHeaders reads the routing out of Kafka headers, whoever wrote them. Names that
// this version does not know are ignored, a repeated name counts the last time. An id
// or a stamp that cannot be read is an error that wraps ErrHeaders: such a record
// cannot be routed.
func decodeHeaders(in []kafka.Header) (Headers, error) {
	var h Headers
	for i := range in {
		if err := h.decode(in[i].Key, in[i].Value); err != nil {
			return Headers{}, fmt.Errorf("%w: %s: %w", ErrHeaders, in[i].Key, err)
		}
	}
	return h, nil
}

func (h *Headers) decode(name string, value []byte) (err error) {
	switch name {
	case headerMid:
		h.Mid, err = id.ParseMessage(string(value))
	case headerSocket:
		h.Socket, err = id.ParseSocket(string(value))
	case headerUser:
		h.User = id.User(value)
	case headerDoc:
		h.Doc = id.Doc(value)
	case headerInner:
		h.Inner = string(value)
	case headerEvent:
		h.Event = Event(value)
	case headerLocale:
		h.Locale = string(value)
	case headerOperator:
		h.Operator = Operator(value)
	case headerAuthType:
		h.AuthType = string(value)
	case headerClientVersion:
		h.ClientVersion = string(value)
	case headerServerVersion:
		h.ServerVersion = string(value)
	case headerPushClientID:
		h.PushClientID = string(value)
	case headerTraceID:
		h.TraceID = string(value)
	default:
		if stage, ok := strings.CutPrefix(name, headerStamp); ok && stage != "" {
			err = h.decodeStamp(stage, value)
		}
	}
	return err
}

func (h *Headers) decodeStamp(stage string, value []byte) error {
	micros, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return err
	}
	if len(h.Stamps) < maxStamps {
		h.Stamp(stage, time.UnixMicro(micros))
	}
	return nil
}
