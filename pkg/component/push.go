package component

import (
	"context"
	"time"
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
func (c *Client) Push(ctx context.Context, p Push) (Result, error) { return Result{}, ErrClosed }

// Pusher is a stream of pushes, for volume. It is for one goroutine.
type Pusher struct{}

// PushStream opens a Pusher. It lives until Close or the end of ctx. Its pushes
// are accepted in order and not retried.
func (c *Client) PushStream(ctx context.Context) (*Pusher, error) { return nil, ErrClosed }

// Send hands one push to the stream and waits only for room. An error is that
// of the first push that was refused, which need not be this one.
func (p *Pusher) Send(push Push) error { return ErrClosed }

// Close waits until the server has accepted all pushes. On an error, which
// names the index of the push that was refused, those before it are accepted.
func (p *Pusher) Close() (PushSummary, error) { return PushSummary{}, ErrClosed }

// PushSummary counts what a Pusher's server accepted.
type PushSummary struct {
	Accepted   uint64
	Duplicates uint64
}
