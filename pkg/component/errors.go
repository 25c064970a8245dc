package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrClosed means that the Client was closed.
	ErrClosed = errors.New("component: client is closed")
	// ErrNoReply means that the event's client does not wait for an answer.
	ErrNoReply = errors.New("component: event wants no reply")
	// ErrOffline means that the client is not connected any more.
	ErrOffline = errors.New("component: client is offline")
	// ErrHandlers means that handlers still ran when Subscribe gave up waiting.
	ErrHandlers = errors.New("component: handlers still running")
	// ErrNotFound means that there is no such socket.
	ErrNotFound = errors.New("component: not found")
	// ErrConflict means that an idempotency key was used for other content.
	ErrConflict = errors.New("component: idempotency key used for other content")
	// ErrOverloaded means that Sluice has no room or the component used up its
	// quota: wait for Error.RetryAfter.
	ErrOverloaded = errors.New("component: overloaded")
	// ErrDenied means that the credentials are wrong or do not cover the call.
	ErrDenied = errors.New("component: denied")
	// ErrOneTarget means that a Call or an Of names no target, or two.
	ErrOneTarget = errors.New("component: exactly one target must be set")
	// ErrInvalid means that Sluice does not accept the request as it is; the
	// message names the field.
	ErrInvalid = errors.New("component: invalid request")
	// ErrUnavailable means that Sluice was not reached, or fell silent: the call
	// may have been done.
	ErrUnavailable = errors.New("component: unavailable")
)

// Error is what every call returns when the server, or the way there, did not
// let it succeed. errors.Is finds the errors above and the context's in it, and
// status.FromError the gRPC status.
type Error struct {
	// Op is the method.
	Op string
	// Code is the gRPC status code.
	Code codes.Code
	// Message is the server's text.
	Message string
	// RetryAfter is how long the server asks to wait; zero if it does not say.
	RetryAfter time.Duration
	// Attempts is how often the call was tried.
	Attempts int

	st *status.Status
}

func newError(op string, attempts int, err error) *Error {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	e := &Error{Op: op, Code: st.Code(), Message: st.Message(), Attempts: attempts, st: st}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			e.RetryAfter = info.GetRetryDelay().AsDuration()
		}
	}
	return e
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("component: %s: %s: %s", e.Op, e.Code, e.Message)
}

// GRPCStatus is for status.FromError.
func (e *Error) GRPCStatus() *status.Status { return e.st }

// Is tells whether target stands for the error's code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Code == codes.NotFound
	case ErrConflict:
		return e.Code == codes.AlreadyExists
	case ErrOverloaded:
		return e.Code == codes.ResourceExhausted
	case ErrDenied:
		return e.Code == codes.Unauthenticated || e.Code == codes.PermissionDenied
	case ErrInvalid:
		return e.Code == codes.InvalidArgument
	case ErrUnavailable:
		return e.Code == codes.Unavailable
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	case context.Canceled:
		return e.Code == codes.Canceled
	}
	return false
}
