package component

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
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
	// context's deadline should be later, or answers are lost with it; a context
	// without one gets a second more than Timeout.
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
	Acked = Outcome(sluicev1.Outcome_OUTCOME_ACKED)
	// Offline: the socket is not connected.
	Offline = Outcome(sluicev1.Outcome_OUTCOME_OFFLINE)
	// Overloaded: the gateway or the socket has no room; try later.
	Overloaded = Outcome(sluicev1.Outcome_OUTCOME_OVERLOADED)
	// Timeout: no answer in time; it may have been received.
	Timeout = Outcome(sluicev1.Outcome_OUTCOME_TIMEOUT)
)

// String returns the outcome in lower case.
func (o Outcome) String() string {
	switch o {
	case Acked:
		return "acked"
	case Offline:
		return "offline"
	case Overloaded:
		return "overloaded"
	case Timeout:
		return "timeout"
	}
	return "unknown"
}

// Call emits an event with an acknowledgement request and waits. An error means
// that there are no answers at all; single sockets fail by their Outcome. It is
// never retried.
func (c *Client) Call(ctx context.Context, call Call) ([]Answer, error) {
	payload, err := either(call.Args, call.Payload)
	if err != nil {
		return nil, err
	}
	req := &sluicev1.CallRequest{Namespace: call.Namespace, Event: event(call.Event, payload)}
	switch {
	case (call.Socket == "") == (call.User == ""):
		return nil, ErrOneTarget
	case call.Socket != "":
		req.Target = &sluicev1.CallRequest_Socket{Socket: call.Socket}
	default:
		req.Target = &sluicev1.CallRequest_User{User: call.User}
	}
	patience := defaultPatience
	if call.Timeout != 0 {
		patience = call.Timeout
		req.Timeout = durationpb.New(call.Timeout)
	}
	ctx, cancel := c.bound(ctx, patience+time.Second)
	defer cancel()
	resp, err := unary(ctx, c, "call", false, req, c.rpc.Call)
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(resp.GetResults()))
	for i, r := range resp.GetResults() {
		answers[i] = Answer{Socket: r.GetSocket(), Outcome: Outcome(r.GetOutcome())}
		if r.GetArgs() != "" {
			answers[i].Payload = Payload{Args: []byte(r.GetArgs()), Attachments: r.GetAttachments()}
		}
	}
	return answers, nil
}

const defaultPatience = 3 * time.Second // what the server takes a zero Timeout for

// Bind unmarshals the client's answer; see Payload.Bind.
func (a Answer) Bind(dst ...any) error { return a.Payload.Bind(dst...) }

// Reply answers the event of a client that waits for it, by the ReplyTo of the
// event. Event.Reply does the same. Acked means handed to the socket, Offline
// that the client is gone.
func (c *Client) Reply(ctx context.Context, replyTo string, args ...any) (Outcome, error) {
	p, err := Pack(args...)
	if err != nil {
		return 0, err
	}
	return c.ReplyPayload(ctx, replyTo, p)
}

// ReplyPayload is Reply for arguments that are marshalled already.
func (c *Client) ReplyPayload(ctx context.Context, replyTo string, p Payload) (Outcome, error) {
	req := &sluicev1.ReplyRequest{ReplyTo: replyTo, Args: p.text(), Attachments: p.Attachments}
	resp, err := unary(ctx, c, "reply", false, req, c.rpc.Reply)
	return Outcome(resp.GetOutcome()), err
}
