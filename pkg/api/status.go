package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/id"
	"sluice/pkg/session"
)

// What the service refuses for, besides InvalidError.
var (
	// ErrUnauthenticated: no, unknown or wrong credentials. Which of them is not told.
	ErrUnauthenticated = errors.New("no valid credentials")
	// ErrMethod: the component's entry does not list the method.
	ErrMethod = errors.New("the method is not allowed for this component")
	// ErrDocument: a document is outside the component's prefixes.
	ErrDocument = errors.New("a document is not allowed for this component")
	// ErrEverybody: the component's entry does not list PushAll.
	ErrEverybody = errors.New("pushing to everybody is not allowed for this component")
	// ErrKeyUsed: the idempotency key was used with other content.
	ErrKeyUsed = errors.New("the idempotency key was used with other content")
	// ErrQuota is matched by every QuotaError.
	ErrQuota = errors.New("the component's quota is used up")
	// ErrUnknownOutcome: some or all of a push may have been accepted. Repeating it
	// with the same idempotency key is safe.
	ErrUnknownOutcome = errors.New("the push may have been accepted in part, repeat it with the same idempotency key")
	// ErrDependency is matched by every DependencyError.
	ErrDependency = errors.New("a service that is needed is away")
	// ErrClosing: this process is leaving; another one will serve.
	ErrClosing = errors.New("the server is closing")
	// ErrStalled ends a subscription that answered nothing for ack_timeout.
	ErrStalled = errors.New("the subscription acknowledged nothing in time")
	// errPanic stands for a panic in a handler.
	errPanic = errors.New("panic")
)

// statuses is the one table from errors to gRPC codes; the first row that matches
// counts, and what matches none is INTERNAL. Callers see what tell says; causes go to
// the log.
var statuses = []struct {
	err    error
	code   codes.Code
	reason string // bounded label of the refusal's metric
	told   string // "": see tell
}{
	{ErrInvalid, codes.InvalidArgument, "invalid", ""},
	{ErrUnauthenticated, codes.Unauthenticated, "unauthenticated", ""},
	{ErrMethod, codes.PermissionDenied, "method", ""},
	{ErrDocument, codes.PermissionDenied, "document", ""},
	{ErrEverybody, codes.PermissionDenied, "everybody", ""},
	{ErrKeyUsed, codes.AlreadyExists, "key_used", ""},
	{ErrQuota, codes.ResourceExhausted, "quota", ""},
	{session.ErrNotFound, codes.NotFound, "not_found", "the socket is not connected"},
	{ErrUnknownOutcome, codes.Unavailable, "unknown_outcome", ErrUnknownOutcome.Error()},
	{ErrDependency, codes.Unavailable, "dependency", ""},
	{ErrClosing, codes.Unavailable, "closing", ""},
	{id.ErrLease, codes.Unavailable, "lease", "no message ids can be given at the moment"},
	{ErrStalled, codes.Aborted, "stalled", ""},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "deadline", "the deadline has passed"},
	{context.Canceled, codes.Canceled, "canceled", "the caller has gone"},
}

// public is an error whose own text may be told.
type public interface{ public() string }

// detailed is an error with google.rpc details.
type detailed interface{ details() []protoadapt.MessageV1 }

// statusOf turns err into what the caller gets and the reason to count it under.
func statusOf(err error) (st *status.Status, reason string) {
	var in *indexError
	if errors.As(err, &in) {
		st, reason = statusOf(in.err)
		p := st.Proto()
		p.Message = in.prefix() + p.Message
		return status.FromProto(p), reason
	}
	// gRPC's own errors, as of methods that are not implemented. Wrapped ones come
	// from other services and are not the caller's business.
	if own, ok := err.(interface{ GRPCStatus() *status.Status }); ok { //nolint:errorlint // unwrapped on purpose
		return own.GRPCStatus(), "grpc"
	}
	for _, row := range statuses {
		if !errors.Is(err, row.err) {
			continue
		}
		return withDetails(status.New(row.code, tell(row.told, row.err, err)), err), row.reason
	}
	return status.New(codes.Internal, "internal error"), "internal"
}

// tell picks the text for the caller: the row's, or the error's own where it is
// public, or that of the row's error.
func tell(told string, rowErr, err error) string {
	var p public
	switch {
	case told != "":
		return told
	case errors.As(err, &p):
		return p.public()
	default:
		return rowErr.Error()
	}
}

func withDetails(st *status.Status, err error) *status.Status {
	var d detailed
	if !errors.As(err, &d) {
		return st
	}
	if more, err := st.WithDetails(d.details()...); err == nil {
		return more
	}
	return st
}

// QuotaError says which of the component's quotas is used up and when to come back.
type QuotaError struct {
	Quota string // "pushes", "bytes", "in_flight" or "subscriptions"
	After time.Duration
}

// Error tells the quota and the wait.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("the component's quota of %s is used up, come back in %s", e.Quota, e.After.Round(time.Millisecond))
}

func (e *QuotaError) public() string { return e.Error() }

// Is makes errors.Is(err, ErrQuota) true.
func (e *QuotaError) Is(target error) bool { return target == ErrQuota }

func (e *QuotaError) details() []protoadapt.MessageV1 {
	return []protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(e.After)}}
}

// DependencyError says which service behind this one failed. The cause is for the
// log and is not unwrapped, so that a deadline of the dependency's own is not taken
// for the caller's.
type DependencyError struct {
	Name  string // "session index", "store of idempotency keys", "producer"
	Cause error
}

// Error tells the name and the cause.
func (e *DependencyError) Error() string { return e.Name + ": " + e.Cause.Error() }

func (e *DependencyError) public() string { return "the " + e.Name + " is away" }

// Is makes errors.Is(err, ErrDependency) true.
func (e *DependencyError) Is(target error) bool { return target == ErrDependency }

// dependency wraps what a dependency returned, unless the caller's time is over.
func dependency(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
	return &DependencyError{Name: name, Cause: err}
}

// indexError says which request of a PushStream failed.
type indexError struct {
	index uint64
	err   error
}

func (e *indexError) prefix() string { return fmt.Sprintf("request %d: ", e.index) }

func (e *indexError) Error() string { return e.prefix() + e.err.Error() }

func (e *indexError) Unwrap() error { return e.err }
