package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"sluice/pkg/id"
)

// Run keeps this gateway's part of the index until ctx ends: it holds the lease
// that makes its sockets count as alive, refreshes their times, puts everything
// back after Redis has lost it, repairs what failed, and sweeps up after dead
// replicas. Start it before the first Add.
//
// lost is called for each socket that a dead replica, or an earlier process
// under the same number, has left, in several goroutines. When it returns nil
// the socket's entries are removed; else it is called again later, perhaps by
// another survivor. It is not called twice unless a sweep is interrupted. Of a
// socket whose record has expired only Socket, Replica and Boot are known.
//
// Run returns nil when ctx ends, or ErrSuperseded when another process has taken
// over the replica number. Redis being away only delays its work. It leaves the
// lease; see Release.
func (i *Index) Run(ctx context.Context, r id.Replica, boot string, truth Local, lost func(context.Context, Client) error) error {
	self := &local{Node: Node{r, boot}, tag: tagOf(boot), truth: truth}
	i.self.Store(self)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rebuild := make(chan reason, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := i.keepLease(ctx, self, rebuild); err != nil {
			cancel(err)
		}
	})
	wg.Go(func() { i.refresh(ctx, self, rebuild) })
	wg.Go(func() {
		for sleep(ctx, jitter(time.Second)) {
			i.repair(ctx, self)
		}
	})
	wg.Go(func() { i.sweepLoop(ctx, self, lost) })
	wg.Wait()
	i.group.wait()
	if err := context.Cause(ctx); errors.Is(err, ErrSuperseded) {
		return err
	}
	return nil
}

// reason is why the index is rebuilt; it is a metric label.
type reason string

const (
	reasonStart   reason = "start"   // this process has just begun
	reasonFlush   reason = "flush"   // the lease is gone although it was renewed in time
	reasonRestart reason = "restart" // Redis has another run id
	reasonLapse   reason = "lapse"   // the lease was not renewed in time
	reasonFlood   reason = "flood"   // too many changes have failed
)

// ring asks for a rebuild. One that has been asked for and not begun will do.
func ring(rebuild chan<- reason, why reason) {
	select {
	case rebuild <- why:
	default:
	}
}

// sleep waits for d and tells whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// jitter returns d give or take a tenth, so that replicas do not march in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
