package mesh

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// sender is the one goroutine that empties a queue into a stream.
type sender struct {
	c *Client
	q *queue
	w *wire // nil: not connected

	notBefore time.Time // of the next attempt to connect
	backoff   time.Duration
	down      bool // logged as unreachable
}

// send works for q until it retires.
func (c *Client) send(q *queue) {
	s := &sender{c: c, q: q, backoff: c.cfg.BackoffBase}
	defer s.drop()
	idle := time.NewTimer(c.cfg.IdleAfter)
	defer idle.Stop()
	for {
		select {
		case <-q.wake:
			s.drain()
			idle.Reset(c.cfg.IdleAfter)
		case <-s.ended():
			s.broke()
		case <-idle.C:
			if q.retireIdle() {
				c.forget(q)
				return
			}
			idle.Reset(c.cfg.IdleAfter)
		case <-q.open.Done():
			return
		}
	}
}

// drain sends what is waiting.
func (s *sender) drain() {
	for s.q.open.Err() == nil {
		it, ok := s.q.next(time.Now())
		if !ok {
			return
		}
		s.c.m.delivered(s.deliver(it), 1)
	}
}

// deliver sends one message, on a second stream if the first turns out to be
// broken, and says what became of it.
func (s *sender) deliver(it item) fate {
	for tries := 0; tries < 2; {
		if s.w == nil && !s.connect() {
			switch {
			case s.q.open.Err() != nil:
				return fateStale
			case s.q.late(it, time.Now()):
				return fateLate
			}
			continue
		}
		tries++
		if s.w.stream.Send(&meshv1.Delivery{Boot: s.q.to.Boot, Body: it.body}) == nil {
			s.sent()
			return fateSent
		}
		s.broke()
	}
	return fateLost
}

// wire is one stream to the callee.
type wire struct {
	stream grpc.ClientStreamingClient[meshv1.Delivery, meshv1.DeliverSummary]
	link   *link
	cancel context.CancelFunc
	since  time.Time
	over   chan struct{} // closed when the callee ended it
	err    error         // why; after over
}

// connect waits for its turn and opens a stream. False: not this time.
func (s *sender) connect() bool {
	c, q := s.c, s.q
	if !wait(q.open, time.Until(s.notBefore)) {
		return false
	}
	if !c.lives(q.to) {
		q.retire(fateStale, errRetired)
		c.forget(q)
		return false
	}
	l, err := c.take(q.to.Address)
	if err != nil {
		s.failed(err)
		return false
	}
	ctx, cancel := context.WithCancel(q.open)
	stream, err := meshv1.NewMeshClient(l.cc).Deliver(ctx)
	if err != nil {
		cancel()
		c.give(l)
		s.failed(err)
		return false
	}
	w := &wire{stream: stream, link: l, cancel: cancel, since: time.Now(), over: make(chan struct{})}
	// The callee ends the stream only when something is wrong. Without somebody
	// who listens, the next message would be lost to find out.
	c.wg.Go(func() {
		defer close(w.over)
		w.err = stream.RecvMsg(new(meshv1.DeliverSummary))
	})
	s.w = w
	return true
}

// ended is closed when the stream is; nil, which is for ever, without one.
func (s *sender) ended() <-chan struct{} {
	if s.w == nil {
		return nil
	}
	return s.w.over
}

// broke learns why the stream has ended and drops it.
func (s *sender) broke() {
	w := s.w
	w.cancel() // if only Send has failed, so that over comes
	<-w.over
	s.drop()
	if time.Since(w.since) > s.c.cfg.BackoffMax {
		s.backoff = s.c.cfg.BackoffBase
	}
	if s.q.open.Err() == nil {
		s.failed(w.err)
	}
}

// failed notes that the stream or the attempt to open it has failed.
func (s *sender) failed(err error) {
	s.notBefore = time.Now().Add(s.backoff/2 + rand.N(s.backoff/2+1))
	s.backoff = s.c.cfg.doubled(s.backoff)
	if status.Code(err) == codes.FailedPrecondition {
		s.q.retire(fateStale, ErrUnknown)
	}
	if !s.down {
		s.down = true
		s.c.log.Warn("deliveries to a replica interrupted",
			elog.Int("replica", int(s.q.to.Replica)), elog.String("boot", s.q.to.Boot), elog.FieldErr(err))
	}
}

// sent notes that a stream works, once it has done so for a while.
func (s *sender) sent() {
	if s.down && time.Since(s.w.since) > s.c.cfg.BackoffMax {
		s.down = false
		s.c.log.Info("deliveries to a replica resumed",
			elog.Int("replica", int(s.q.to.Replica)), elog.String("boot", s.q.to.Boot))
	}
}

// drop lets go of the stream.
func (s *sender) drop() {
	if s.w != nil {
		s.w.cancel()
		s.c.give(s.w.link)
		s.w = nil
	}
}

// wait waits for d or until ctx ends; false when it ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
