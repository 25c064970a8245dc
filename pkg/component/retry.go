package component

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	retryBase   = 50 * time.Millisecond // longest wait before the second attempt; doubles
	retryShare  = 0.1                   // retries per request, over time
	retryCredit = 10                    // retries that may be saved up
)

// unary makes one call, and makes it again if that is harmless and may help.
func unary[Req, Resp any](ctx context.Context, c *Client, op string, harmless bool, req Req,
	call func(context.Context, Req, ...grpc.CallOption) (Resp, error)) (resp Resp, err error) {
	ctx, cancel := c.bound(ctx, c.o.Timeout)
	defer cancel()
	attempts := c.o.Attempts
	if !harmless {
		attempts = 1
	}
	c.budget.request()
	for n := 1; ; n++ {
		if resp, err = call(ctx, req); err == nil {
			return resp, nil
		}
		if n == attempts || status.Code(err) != codes.Unavailable || c.closing.Err() != nil ||
			!c.budget.retry() || !pause(ctx, rand.N(retryBase<<(n-1))) {
			return resp, c.failed(op, n, err)
		}
	}
}

// bound prepares the context of a call: a deadline, if it has none, and the
// trace.
func (c *Client) bound(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx = outgoing(ctx)
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

func (c *Client) failed(op string, attempts int, err error) error {
	if c.closing.Err() != nil {
		return ErrClosed
	}
	return newError(op, attempts, err)
}

// budget keeps retries to a share of the requests, so that a server in trouble
// gets 1.1 times its load and not three times.
type budget struct {
	mu     sync.Mutex
	credit float64 // guarded by mu
}

func (b *budget) request() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.credit = min(b.credit+retryShare, retryCredit)
}

func (b *budget) retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.credit < 1 {
		return false
	}
	b.credit--
	return true
}

// pause waits for d or until ctx ends; false when it ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type traceKey struct{}

// WithTraceparent returns a context whose calls carry a W3C trace context. The
// contexts of handlers have that of their event.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// Traceparent returns what WithTraceparent put into ctx, or the empty string.
func Traceparent(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}

// outgoing adds the trace to the call's metadata, unless something else has.
func outgoing(ctx context.Context) context.Context {
	trace := Traceparent(ctx)
	if trace == "" {
		return ctx
	}
	if md, ok := metadata.FromOutgoingContext(ctx); ok && len(md.Get("traceparent")) > 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "traceparent", trace)
}
