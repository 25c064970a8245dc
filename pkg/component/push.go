package component

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Push is one event for sockets, users, the members of documents, or all. A
// socket that is reached in more than one way gets it once. At most 10,000
// targets.
type Push struct {
	Sockets   []string
	Users     []string
	Documents []string
	All       bool
	// Except are sockets that do not get it, usually the one that caused it.
	Except []string

	// Namespace is the Socket.IO namespace; empty means "/".
	Namespace string
	// Event is the event's name: 1 to 64 bytes, none of Socket.IO's own.
	Event string
	// Args are the arguments; see the package's text for []byte.
	Args []any
	// Payload replaces Args by what has been marshalled before.
	Payload Payload

	// Filter narrows the receivers.
	Filter Filter
	// Ephemeral events (cursors, typing) are delivered within 250 ms or dropped,
	// and never kept for those who resume. Others are kept and delivered once
	// and in order.
	Ephemeral bool
	// LatestKey, for ephemeral events: a receiver that is behind gets only the
	// newest of those with the same key. Empty means the event's name.
	LatestKey string
	// Key is the idempotency key, at most 128 bytes: the same key within 10
	// minutes is delivered once. Empty lets Push make one, so that it can retry;
	// use your own when your own caller may retry. Durable pushes only.
	Key string
	// Within spreads the receivers over a window of at most 10 minutes, so that
	// they do not all react at once. Zero means at once.
	Within time.Duration
}

// Filter narrows the receivers of a push; empty fields do not narrow.
type Filter struct {
	AuthTypes []string
	// MinVersion and MaxVersion are client versions, inclusive, compared as
	// dotted numbers: 1.10 is above 1.9.
	MinVersion, MaxVersion string
	// Locales are language tags; "en" stands for "en-GB" too.
	Locales []string
}

// Result tells what became of a push.
type Result struct {
	// Mid is the id of the message, unique for ever.
	Mid string
	// Duplicate is true when the key had been used and nothing was sent again.
	Duplicate bool
	// Key is the idempotency key that was used, also when Push returns an error:
	// to push the same again without sending it twice.
	Key string
}

// Push sends one event. Nil means accepted: a durable push will reach its
// receivers, an ephemeral one was handed to the gateways that have any.
//
// Errors: ErrInvalid, ErrDenied, ErrConflict, ErrOverloaded as they say;
// ErrUnavailable and context.DeadlineExceeded leave open whether the push was
// accepted: a push with the Key of the Result is then safe.
func (c *Client) Push(ctx context.Context, p Push) (Result, error) {
	if p.Key == "" && !p.Ephemeral && !c.o.NoKeys {
		p.Key = rand.Text()
	}
	res := Result{Key: p.Key}
	req, err := p.request()
	if err != nil {
		return res, err
	}
	resp, err := unary(ctx, c, "push", p.Key != "", req, c.rpc.Push)
	if err != nil {
		return res, err
	}
	res.Mid, res.Duplicate = resp.GetMid(), resp.GetDuplicate()
	return res, nil
}

func (p *Push) request() (*sluicev1.PushRequest, error) {
	payload, err := either(p.Args, p.Payload)
	if err != nil {
		return nil, err
	}
	req := &sluicev1.PushRequest{
		Sockets:        p.Sockets,
		Users:          p.Users,
		Documents:      p.Documents,
		All:            p.All,
		Namespace:      p.Namespace,
		Event:          event(p.Event, payload),
		ExceptSockets:  p.Except,
		Delivery:       sluicev1.Delivery_DELIVERY_DURABLE,
		IdempotencyKey: p.Key,
		LatestKey:      p.LatestKey,
	}
	if p.Ephemeral {
		req.Delivery = sluicev1.Delivery_DELIVERY_EPHEMERAL
	}
	if p.Within != 0 {
		req.DeliverWithin = durationpb.New(p.Within)
	}
	f := p.Filter
	if len(f.AuthTypes) > 0 || len(f.Locales) > 0 || f.MinVersion != "" || f.MaxVersion != "" {
		req.Filter = &sluicev1.Filter{
			AuthTypes: f.AuthTypes, Locales: f.Locales,
			MinClientVersion: f.MinVersion, MaxClientVersion: f.MaxVersion,
		}
	}
	return req, nil
}

func event(name string, p Payload) *sluicev1.Event {
	return &sluicev1.Event{Name: name, Args: p.text(), Attachments: p.Attachments}
}

// Pusher is a stream of pushes, for volume. It is for one goroutine, and must
// be closed.
type Pusher struct {
	c      *Client
	stream grpc.ClientStreamingClient[sluicev1.PushRequest, sluicev1.PushStreamResponse]
	cancel context.CancelFunc
	err    error // sticky: the stream has ended
}

// PushSummary counts what a Pusher's server accepted.
type PushSummary struct {
	Accepted   uint64
	Duplicates uint64
}

// PushStream opens a Pusher. It lives until Close or the end of ctx. Its pushes
// are accepted in order and not retried, and get no keys of their own.
func (c *Client) PushStream(ctx context.Context) (*Pusher, error) {
	ctx, cancel := context.WithCancel(outgoing(ctx))
	stream, err := c.rpc.PushStream(ctx)
	if err != nil {
		cancel()
		return nil, c.failed("push stream", 1, err)
	}
	return &Pusher{c: c, stream: stream, cancel: cancel}, nil
}

// Send hands one push to the stream and waits only for room. Nil does not mean
// accepted. An error of the server is that of the first push that was refused,
// which need not be this one; its message names the index. An error in the
// push's own arguments does not end the stream.
func (p *Pusher) Send(push Push) error {
	if p.err != nil {
		return p.err
	}
	req, err := push.request()
	if err != nil {
		return err
	}
	if err := p.stream.Send(req); err != nil {
		if errors.Is(err, io.EOF) { // the server has ended the stream and says why
			_, err = p.stream.CloseAndRecv()
		}
		p.end(err)
	}
	return p.err
}

// Close waits until the server has accepted all pushes. On an error, which
// names the index of the push that was refused, those before it are accepted.
func (p *Pusher) Close() (PushSummary, error) {
	if p.err != nil {
		return PushSummary{}, p.err
	}
	resp, err := p.stream.CloseAndRecv()
	p.end(err)
	if err != nil {
		return PushSummary{}, p.err
	}
	return PushSummary{Accepted: resp.GetAccepted(), Duplicates: resp.GetDuplicates()}, nil
}

func (p *Pusher) end(err error) {
	p.cancel()
	if err != nil {
		p.err = p.c.failed("push stream", 1, err)
	} else {
		p.err = ErrPusherClosed
	}
}

// ErrPusherClosed means that the Pusher was closed.
var ErrPusherClosed = errors.New("component: pusher is closed")
