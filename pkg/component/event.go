package component

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Kind is what a client did.
type Kind int

const (
	// Connect: a socket was authenticated and connected.
	Connect = Kind(sluicev1.UpKind_UP_KIND_CONNECT)
	// Message: it sent an event.
	Message = Kind(sluicev1.UpKind_UP_KIND_MESSAGE)
	// Disconnect: it is gone; Reason says why.
	Disconnect = Kind(sluicev1.UpKind_UP_KIND_DISCONNECT)
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Connect:
		return "connect"
	case Message:
		return "message"
	case Disconnect:
		return "disconnect"
	}
	return "unknown"
}

// Event is one thing that a client did. It may be kept after the handler
// returned; its slices must not be changed.
type Event struct {
	c  *Client
	up *sluicev1.UpEvent
}

// Mid returns the message id: the same each time that the event is delivered,
// so that a handler can tell what it has done before.
func (e *Event) Mid() string { return e.up.GetMid() }

// Kind tells a connect, a message and a disconnect apart.
func (e *Event) Kind() Kind { return Kind(e.up.GetKind()) }

// Name returns the name of a message's event; empty for other kinds.
func (e *Event) Name() string { return e.up.GetEvent().GetName() }

// Args returns the arguments as a JSON array. For a Connect it is an array of
// one, what the client passed as its auth.
func (e *Event) Args() json.RawMessage { return json.RawMessage(Payload{Args: e.args()}.text()) }

func (e *Event) args() json.RawMessage {
	if args := e.up.GetEvent().GetArgs(); args != "" {
		return json.RawMessage(args)
	}
	return nil
}

// Payload returns the arguments with their binary parts.
func (e *Event) Payload() Payload {
	return Payload{Args: e.args(), Attachments: e.up.GetEvent().GetAttachments()}
}

// Bind unmarshals the arguments; see Payload.Bind.
func (e *Event) Bind(dst ...any) error { return e.Payload().Bind(dst...) }

// WantsReply tells whether the client waits for an answer.
func (e *Event) WantsReply() bool { return e.up.GetReplyTo() != "" }

// ReplyTo is the address of the answer, for Client.Reply; empty when none is
// wanted.
func (e *Event) ReplyTo() string { return e.up.GetReplyTo() }

// Reply answers the client. ErrNoReply when it does not wait for an answer,
// ErrOffline when it is gone, ErrOverloaded when there is no room for it.
func (e *Event) Reply(ctx context.Context, args ...any) error {
	p, err := Pack(args...)
	if err != nil {
		return err
	}
	return e.ReplyPayload(ctx, p)
}

// ReplyPayload is Reply for arguments that are marshalled already.
func (e *Event) ReplyPayload(ctx context.Context, p Payload) error {
	if !e.WantsReply() {
		return ErrNoReply
	}
	outcome, err := e.c.ReplyPayload(ctx, e.up.GetReplyTo(), p)
	switch {
	case err != nil:
		return err
	case outcome == Offline:
		return ErrOffline
	case outcome == Acked:
		return nil
	}
	return fmt.Errorf("component: reply: %w: %s", ErrOverloaded, outcome)
}

// Socket returns the id of the client's connection.
func (e *Event) Socket() string { return e.up.GetSocket() }

// User returns whose connection it is; empty when anonymous.
func (e *Event) User() string { return e.up.GetUser() }

// Documents returns the documents that the socket was a member of at the time.
func (e *Event) Documents() []string { return e.up.GetDocuments() }

// Namespace returns the Socket.IO namespace.
func (e *Event) Namespace() string { return e.up.GetNamespace() }

// AuthType returns how the client authenticated.
func (e *Event) AuthType() string { return e.up.GetAuthType() }

// ClientVersion returns the client's version, as it says itself.
func (e *Event) ClientVersion() string { return e.up.GetClientVersion() }

// Locale returns the client's locale.
func (e *Event) Locale() string { return e.up.GetLocale() }

// Reason tells why the socket disconnected, as a word.
func (e *Event) Reason() string { return e.up.GetReason() }

// Time returns when the gateway received it.
func (e *Event) Time() time.Time { return moment(e.up.GetTime()) }

// Traceparent returns the W3C trace context of the event; handlers' contexts
// carry it too.
func (e *Event) Traceparent() string { return e.up.GetTraceparent() }

// Attempt is 1 on the first delivery.
func (e *Event) Attempt() int { return int(e.up.GetAttempt()) }
