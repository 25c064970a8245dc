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

// encodeHeaders returns the Kafka headers of h, without the empty ones. All values lie
// in one buffer, so a record costs two allocations here.
func encodeHeaders(h *Headers) []kafka.Header {
	e := headerEncoder{
		headers: make([]kafka.Header, 0, 13+len(h.Stamps)),
		values:  make([]byte, 0, h.textSize()+2*id.TextLen+20*len(h.Stamps)),
	}
	if h.Mid != 0 {
		e.add(headerMid, h.Mid.Append(e.values))
	}
	if h.Socket != 0 {
		e.add(headerSocket, h.Socket.Append(e.values))
	}
	e.text(headerUser, string(h.User))
	e.text(headerDoc, string(h.Doc))
	e.text(headerInner, h.Inner)
	e.text(headerEvent, string(h.Event))
	e.text(headerLocale, h.Locale)
	e.text(headerOperator, string(h.Operator))
	e.text(headerAuthType, h.AuthType)
	e.text(headerClientVersion, h.ClientVersion)
	e.text(headerServerVersion, h.ServerVersion)
	e.text(headerPushClientID, h.PushClientID)
	e.text(headerTraceID, h.TraceID)
	for _, s := range h.Stamps {
		e.add(stampName(s.Stage), strconv.AppendInt(e.values, s.At.UnixMicro(), 10))
	}
	return e.headers
}

func (h *Headers) textSize() int {
	return len(h.User) + len(h.Doc) + len(h.Inner) + len(h.Event) + len(h.Locale) + len(h.Operator) +
		len(h.AuthType) + len(h.ClientVersion) + len(h.ServerVersion) + len(h.PushClientID) + len(h.TraceID)
}

type headerEncoder struct {
	headers []kafka.Header
	values  []byte // what was added so far
}

// add takes e.values with the new value appended.
func (e *headerEncoder) add(name string, appended []byte) {
	from := len(e.values)
	e.values = appended
	e.headers = append(e.headers, kafka.Header{Key: name, Value: appended[from:len(appended):len(appended)]})
}

func (e *headerEncoder) text(name, value string) {
	if value != "" {
		e.add(name, append(e.values, value...))
	}
}

// stampName joins without allocating for the stages that we have ourselves.
func stampName(stage string) string {
	switch stage {
	case "gateway":
		return headerStamp + "gateway"
	case "api":
		return headerStamp + "api"
	case "relay":
		return headerStamp + "relay"
	}
	return headerStamp + stage
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
