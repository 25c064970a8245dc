package mesh

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/id"
)

var (
	// ErrUnknown means that the process is gone: the directory does not know the
	// replica, or another boot answered under its address. What lived there is
	// lost: a session's client is answered "unknown sid".
	ErrUnknown = errors.New("mesh: unknown replica")
	// ErrUnreachable means that the process may be alive and could not be
	// reached, or fell silent during the call: whether it acted is not known.
	// An HTTP client is answered 503 with Retry-After.
	ErrUnreachable = errors.New("mesh: replica unreachable")
	// ErrBusy means that the queue to the replica is full, or that the replica
	// has no room.
	ErrBusy = errors.New("mesh: replica busy")
	// ErrTooLarge means that a body is above Config.MaxForwardBytes, or a message
	// above Config.MaxMessageBytes. An HTTP client is answered 413.
	ErrTooLarge = errors.New("mesh: too large")
	// ErrForwarded means that the request came from another gateway already:
	// requests are forwarded once.
	ErrForwarded = errors.New("mesh: request was forwarded before")
	// ErrClientGone means that the HTTP client went away, or that its request
	// could not be read to the end: there is nobody to answer.
	ErrClientGone = errors.New("mesh: client gone")
	// ErrClosed means that the Client was closed.
	ErrClosed = errors.New("mesh: closed")
	// ErrRefused means that the callee does not accept our token or certificate,
	// or does not understand the request: a mistake in configuration.
	ErrRefused = errors.New("mesh: refused")
)

// typed turns what gRPC returned into one of the errors above, or into the
// context's, and keeps the text. ctx is that of the call.
func (c *Client) typed(ctx context.Context, method string, to id.Replica, err error) error {
	if err == nil {
		return nil
	}
	st, _ := status.FromError(err)
	return fmt.Errorf("%s of replica %d: %w: %s", method, to, c.kind(ctx, st.Code()), st.Message())
}

func (c *Client) kind(ctx context.Context, code codes.Code) error {
	switch code {
	case codes.FailedPrecondition:
		return ErrUnknown
	case codes.ResourceExhausted:
		return ErrBusy
	case codes.OutOfRange:
		return ErrTooLarge
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented:
		return ErrRefused
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	switch {
	case c.closing.Err() != nil:
		return ErrClosed
	case code == codes.Canceled && ctx.Err() != nil:
		return ctx.Err()
	}
	return ErrUnreachable
}
