package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// stage is a set of goroutines that end together. A program is a few stages
// that start in one order and end in the other.
type stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	failed chan<- error // the first failure of any stage; never blocks
}

func newStage(failed chan<- error) *stage {
	ctx, cancel := context.WithCancel(context.Background())
	return &stage{ctx: ctx, cancel: cancel, failed: failed}
}

// run starts one goroutine. When it ends by itself, the program ends.
func (s *stage) run(name string, f func(context.Context) error) {
	s.wg.Go(func() {
		err := f(s.ctx)
		if s.ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		select {
		case s.failed <- fmt.Errorf("%s: %w", name, err):
		default: // another failure is being handled
		}
	})
}

// stop ends the goroutines and waits for them, or for ctx.
func (s *stage) stop(ctx context.Context) error {
	s.cancel()
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
