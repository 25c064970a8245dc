package stream

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// Run subscribes to all shards and calls handle with every message from then
// on: each once, in the order of the sequence within a shard, whatever happens
// to the broadcast. What is lost on the way, or was missed while Redis could not
// be reached, is read from the history; where that does not reach, handle is
// called with an Entry that has a Gap, before anything later of that shard.
//
// handle is called from one goroutine and must not block for long: while it
// does, nothing is received. It must not change Body. A message may come again
// under a new sequence after Redis has lost data and the sender has repeated
// it; its Mid is the same.
//
// Run keeps its place in the Stream, so a second Run goes on where the first one
// ended. It returns nil when ctx ends.
func (s *Stream) Run(ctx context.Context, handle func(Entry)) error {
	f := &follower{Stream: s, handle: handle, marks: make([]progress, len(s.shards))}
	wait := s.cfg.RetryMin
	for {
		start := time.Now()
		err := f.follow(ctx)
		s.setLive(false)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end was asked for
		}
		s.m.sessions.WithLabelValues("lost").Inc()
		if time.Since(start) > s.cfg.RetryMax {
			wait = s.cfg.RetryMin
		}
		s.log.Warn("subscription lost", elog.FieldErr(err), elog.Duration("retry_in", wait))
		if !sleep(ctx, wait/2+rand.N(wait/2+1)) {
			return nil
		}
		wait = min(2*wait, s.cfg.RetryMax)
	}
}

// sleep waits for d and tells whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
