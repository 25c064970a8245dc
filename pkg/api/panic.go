package api

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/gotomicro/ego/core/elog"
)

// safely runs f and turns a panic into an error. gRPC's own goroutines are guarded by
// the interceptors; those that a call starts beside them must be guarded too, or one
// request could end the process. Code that holds a mutex has no such net: better end
// than stand still.
func (s *Server) safely(doing string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(doing, v)
		}
	}()
	return f()
}

func (s *Server) guarded(do func(ctx context.Context, i int) error) func(ctx context.Context, i int) error {
	return func(ctx context.Context, i int) error {
		return s.safely("look up", func() error { return do(ctx, i) })
	}
}

// panicked logs what recover returned. Call it in the deferred function: the stack is
// still that of the panic.
func (s *Server) panicked(doing string, v any) error {
	err := fmt.Errorf("%s: %w: %v", doing, errPanic, v)
	s.log.Error("a handler panicked", elog.FieldErr(err), elog.FieldStack(debug.Stack()))
	return err
}
