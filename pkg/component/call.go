package component

import (
	"context"
	"time"
)

// Call asks one socket, or every socket of a user, and waits for the answers.
type Call struct {
	Socket    string // either
	User      string // or
	Namespace string
	Event     string
	Args      []any
	Payload   Payload // replaces Args
	// Timeout is how long clients may take. Default 3s, at most 30s. The
	// context's deadline should be later, or answers are lost with it.
	Timeout time.Duration
}

// Answer is what one socket made of a call.
type Answer struct {
	Socket  string
	Outcome Outcome
	// Payload is the client's answer, if Outcome is Acked.
	Payload Payload
}

// Outcome says what became of one socket's part of a request.
type Outcome int

const (
	// Acked: the client answered, or the change was made.
	Acked Outcome = 1 + iota
	// Offline: the socket is not connected.
	Offline
	// Overloaded: the gateway or the socket has no room; try later.
	Overloaded
	// Timeout: no answer in time; it may have been received.
	Timeout
)

// String returns the outcome in lower case.
func (o Outcome) String() string { return "unknown" }

// Call emits an event with an acknowledgement request and waits. An error means
// that there are no answers at all; single sockets fail by their Outcome. It is
// never retried.
func (c *Client) Call(ctx context.Context, call Call) ([]Answer, error) { return nil, ErrClosed }

// Reply answers the event of a client that waits for it, by the ReplyTo of the
// event. Event.Reply does the same. Offline means that the client is gone.
func (c *Client) Reply(ctx context.Context, replyTo string, args ...any) (Outcome, error) {
	return 0, ErrClosed
}

// ReplyPayload is Reply for arguments that are marshalled already.
func (c *Client) ReplyPayload(ctx context.Context, replyTo string, p Payload) (Outcome, error) {
	return 0, ErrClosed
}
