package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// position is where a record lies: the same however often it is handed over.
type position struct {
	partition int
	offset    int64
}

// upEvent is one upstream event of a component, from the time it is taken from Kafka
// until it is settled. Its uplink's mu guards all but the first group.
type upEvent struct {
	at     position
	mid    id.Message
	socket id.Socket
	shown  *sluicev1.UpEvent // without delivery and attempt; never changed

	d   *bus.Delivery   // the latest hand-over of the record
	ctx context.Context // of that: it ends when the partition is lost

	attempt int    // how often it was sent on a stream
	nacks   int    // how often it was refused, or not answered in time
	number  uint64 // on its stream, while it is in flight
	sent    time.Time
}

// show is the event as it goes out; a copy, as gRPC may still read an earlier one.
func (e *upEvent) show() *sluicev1.SubscribeResponse {
	v := e.shown
	return &sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Event{Event: &sluicev1.UpEvent{
		Delivery: e.number, Attempt: uint32(e.attempt),
		Mid: v.Mid, Kind: v.Kind, Socket: v.Socket, User: v.User, Namespace: v.Namespace, Event: v.Event,
		ReplyTo: v.ReplyTo, AuthType: v.AuthType, ClientVersion: v.ClientVersion, Locale: v.Locale,
		Reason: v.Reason, Time: v.Time, Traceparent: v.Traceparent, Documents: v.Documents,
	}}}
}

var errArgsText = errors.New("the arguments are not valid UTF-8")

// read decodes a record for a component. It returns nil when the component's entry
// does not select it. Presence without a namespace, as of sockets that a dead
// gateway left behind, is of every namespace.
func (c *component) read(d *bus.Delivery) (*sluicev1.UpEvent, error) {
	h := &d.Headers
	kind := kindOf(h)
	if kind == sluicev1.UpKind_UP_KIND_UNSPECIFIED || kind != sluicev1.UpKind_UP_KIND_MESSAGE && !c.presence {
		return nil, nil
	}
	up, err := bus.DecodeUp(d.Body)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", h.Mid, err)
	}
	if kind == sluicev1.UpKind_UP_KIND_MESSAGE {
		if up.Namespace == "" {
			up.Namespace = "/"
		}
		if !c.events.match(up.Event) {
			return nil, nil
		}
	}
	if up.Namespace != "" && !c.namespaces.match(up.Namespace) {
		return nil, nil
	}
	if !utf8.Valid(up.Args) {
		return nil, fmt.Errorf("event %s: %w", h.Mid, errArgsText)
	}
	return c.show(kind, &d.Record, &up), nil
}

func kindOf(h *bus.Headers) sluicev1.UpKind {
	if h.Inner != "" {
		return sluicev1.UpKind_UP_KIND_UNSPECIFIED // between gateways
	}
	switch h.Event {
	case bus.EventConnect:
		return sluicev1.UpKind_UP_KIND_CONNECT
	case bus.EventMessage:
		return sluicev1.UpKind_UP_KIND_MESSAGE
	case bus.EventDisconnect:
		return sluicev1.UpKind_UP_KIND_DISCONNECT
	}
	return sluicev1.UpKind_UP_KIND_UNSPECIFIED
}

// show makes the event that the component sees. Texts that clients chose are made
// valid, or gRPC could not send them.
func (c *component) show(kind sluicev1.UpKind, r *bus.Record, up *bus.Up) *sluicev1.UpEvent {
	h := &r.Headers
	out := &sluicev1.UpEvent{
		Mid: h.Mid.String(), Kind: kind, Socket: h.Socket.String(), User: clean(string(h.User)),
		Namespace: clean(up.Namespace), AuthType: clean(h.AuthType), ClientVersion: clean(h.ClientVersion),
		Locale: clean(h.Locale), Reason: clean(up.Reason), Traceparent: clean(h.TraceID),
		Documents: c.visible(up.Docs),
	}
	for i := range out.Documents {
		out.Documents[i] = clean(out.Documents[i])
	}
	if !r.Time.IsZero() {
		out.Time = timestamppb.New(r.Time)
	}
	if kind != sluicev1.UpKind_UP_KIND_DISCONNECT {
		out.Event = &sluicev1.Event{Name: clean(up.Event), Args: string(up.Args), Attachments: up.Attachments}
	}
	if up.HasAck {
		out.ReplyTo = replyTo{
			socket: h.Socket, replica: up.Replica, boot: up.Boot, namespace: up.Namespace, ackID: up.AckID,
		}.String()
	}
	return out
}

func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
