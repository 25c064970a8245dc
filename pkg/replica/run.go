package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// reportEvery is the time between log lines of one trouble that lasts.
const reportEvery = time.Minute

// Run keeps the number: heartbeats, renewals of the lease, and the list of the
// living. It returns nil when ctx ends and ErrTakenOver when the number has passed
// to another process. A database that is away is logged and waited for: the process
// serves on, with the last list, until its lease ends.
func (r *Registry) Run(ctx context.Context) error {
	if r.gen.Load() == nil {
		return ErrNotRegistered
	}
	var (
		trouble outage
		renewed time.Time // zero: at once, whatever Register granted may be old
		timer   = time.NewTimer(0)
	)
	defer timer.Stop()
	var looking sync.WaitGroup
	defer looking.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	looking.Go(func() { r.lookFor(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := r.round(ctx, &renewed)
		if errors.Is(err, ErrTakenOver) {
			r.log.Error("lost the replica number", elog.Int("replica", int(r.Replica())), elog.FieldErr(err))
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		r.report(&trouble, err)
		timer.Reset(jitter(r.cfg.HeartbeatEvery))
	}
}

// round is one heartbeat and what is due with it. It stops at the first failure: the
// rest would wait for the same database.
func (r *Registry) round(ctx context.Context, renewed *time.Time) error {
	defer r.showLease()
	if err := r.beat(ctx); err != nil {
		return err
	}
	// A clock that jumped ahead may be near the end of the lease before its time.
	now := r.now()
	jumped := r.gen.Load().Until()-id.Millis(now) < (r.cfg.LeaseFor / 2).Milliseconds()
	if jumped || now.Sub(*renewed) >= r.cfg.RenewEvery {
		if err := r.renew(ctx); err != nil {
			return err
		}
		*renewed = now
	}
	return r.refresh(ctx)
}

// outage is a trouble with the database that lasts.
type outage struct {
	since, reported time.Time
	rounds          int
}

// report logs the beginning, the length and the end of an outage.
func (r *Registry) report(o *outage, err error) {
	now := r.now()
	switch {
	case err == nil && o.rounds > 0:
		r.log.Info("the registry is reached again", elog.Duration("after", now.Sub(o.since)), elog.Int("failures", o.rounds))
		*o = outage{}
	case err != nil:
		if o.rounds++; o.rounds == 1 {
			o.since = now
		} else if d := now.Sub(o.reported); d >= 0 && d < reportEvery {
			return
		}
		o.reported = now
		r.log.Warn("the registry cannot be reached, ids can be minted until the lease ends",
			elog.FieldErr(err), elog.Int("failures", o.rounds),
			elog.Duration("lease", r.leaseLeft(r.gen.Load())))
	}
}

// jitter spreads the heartbeats of processes that started together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
