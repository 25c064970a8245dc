package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// Bounds of the wait between two attempts to reach a dependency at start.
const (
	retryMin = 200 * time.Millisecond
	retryMax = 5 * time.Second
)

// until tries a dependency until it is there or ctx ends. A program whose
// database is away does not crash: it says so, and is not ready.
func until(ctx context.Context, log *elog.Component, what string, try func(context.Context) error) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		pause := wait/2 + rand.N(wait/2)
		log.Warn("waiting for "+what, elog.FieldErr(err), elog.Duration("retry", pause.Round(time.Millisecond)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
