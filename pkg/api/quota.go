package api

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// quota holds what a component may still ask for.
type quota struct {
	pushes   *rate.Limiter // nil: no bound
	bytes    *rate.Limiter // nil: no bound
	maxOpen  int64         // 0: no bound
	openNow  atomic.Int64
	settings QuotaConfig
}

// busyAfter is told when too many calls are open: about what one of them takes.
const busyAfter = 100 * time.Millisecond

func newQuota(c QuotaConfig) *quota {
	q := &quota{maxOpen: int64(c.InFlight), settings: c}
	if c.Pushes > 0 {
		burst := c.PushBurst
		if burst == 0 {
			burst = int(math.Ceil(c.Pushes))
		}
		q.pushes = rate.NewLimiter(rate.Limit(c.Pushes), burst)
	}
	if c.Bytes > 0 {
		q.bytes = rate.NewLimiter(rate.Limit(c.Bytes), max(1, int(math.Ceil(c.Bytes))))
	}
	return q
}

// open counts a call as under way; a call that was let in must be closed.
func (q *quota) open() error {
	if n := q.openNow.Add(1); q.maxOpen > 0 && n > q.maxOpen {
		q.openNow.Add(-1)
		return &QuotaError{Quota: "in_flight", After: busyAfter}
	}
	return nil
}

func (q *quota) close() { q.openNow.Add(-1) }

// push charges one push of that many bytes over all targets, or returns a
// *QuotaError and charges nothing.
func (q *quota) push(now time.Time, bytes int) error {
	if after := owed(q.bytes, now); after > 0 {
		return &QuotaError{Quota: "bytes", After: after}
	}
	if q.pushes != nil {
		r := q.pushes.ReserveN(now, 1)
		if after := r.DelayFrom(now); after > 0 {
			r.CancelAt(now)
			return &QuotaError{Quota: "pushes", After: after}
		}
	}
	if q.bytes != nil {
		// A push may be larger than the bucket: it is let in when the bucket is not
		// empty and leaves a debt behind, in steps that the bucket can express.
		for left := bytes; left > 0; left -= q.bytes.Burst() {
			q.bytes.ReserveN(now, min(left, q.bytes.Burst()))
		}
	}
	return nil
}

// owed returns how long it takes until the bucket holds something.
func owed(l *rate.Limiter, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Millisecond, time.Duration(missing/float64(l.Limit())*float64(time.Second)))
}

// wait charges one push as push does, and waits for the quota until ctx ends.
func (q *quota) wait(ctx context.Context, now func() time.Time, bytes int) error {
	for {
		err := q.push(now(), bytes)
		over, ok := err.(*QuotaError) //nolint:errorlint // push returns it unwrapped
		if !ok {
			return err
		}
		if end, ok := ctx.Deadline(); ok && now().Add(over.After).After(end) {
			return err // waiting would not help: say when to come back
		}
		t := time.NewTimer(over.After)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}
