package api

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/bus"
)

// groupPrefix begins the name of a component's consumer group.
const groupPrefix = "sluice-up-"

// open adds a stream and starts the consumer with the first one.
func (u *uplink) open(maxInFlight int) (*upStream, error) {
	st := newUpStream(rand.Uint64(), maxInFlight)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.draining {
		return nil, ErrClosing
	}
	if len(u.streams) >= u.s.cfg.Subscribe.MaxStreams {
		return nil, &QuotaError{Quota: "subscriptions", After: time.Second}
	}
	if !u.running {
		if !u.s.start(func() { u.work() }) {
			return nil, ErrClosing
		}
		u.running = true
	}
	if u.linger != nil {
		u.linger.Stop()
		u.linger = nil
	}
	u.streams = append(u.streams, st)
	u.s.m.streams.WithLabelValues(u.name).Set(float64(len(u.streams)))
	u.adoptLocked()
	u.changeLocked()
	return st, nil
}

// adoptLocked gives lanes without a stream to those that are open.
func (u *uplink) adoptLocked() {
	if len(u.streams) == 0 {
		return
	}
	for _, l := range u.lanes {
		if l.stream == nil {
			u.moveLocked(l, u.pickLocked(l.socket, false))
			if l.state == laneReady {
				u.readyLocked(l)
			}
		}
	}
}

// shut removes a stream that has ended and returns its events to their lanes, where
// they are the first to be delivered again.
func (u *uplink) shut(st *upStream) {
	u.mu.Lock()
	defer u.mu.Unlock()
	st.closed = true
	u.streams = slices.DeleteFunc(u.streams, func(s *upStream) bool { return s == st })
	u.s.m.streams.WithLabelValues(u.name).Set(float64(len(u.streams)))
	u.count(upReturned, len(st.inflight))
	for _, l := range u.lanes {
		if l.stream == st {
			u.moveLocked(l, nil)
			if l.state == laneSent {
				l.state = laneReady
			}
		}
	}
	st.ready, st.inflight = nil, nil
	u.adoptLocked()
	u.changeLocked()
	if len(u.streams) == 0 && !u.draining {
		u.linger = time.AfterFunc(u.s.cfg.Subscribe.Linger, u.idle)
	}
}

// idle ends the consumer unless a stream has come back.
func (u *uplink) idle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.streams) == 0 && u.stop != nil {
		u.stop()
	}
}

// work runs the consumer while streams are open, again after a failure.
func (u *uplink) work() {
	for {
		ctx, cancel := context.WithCancel(context.Background())
		u.mu.Lock()
		if u.draining || len(u.streams) == 0 {
			u.running, u.stop = false, nil
			u.mu.Unlock()
			cancel()
			return
		}
		u.stop = cancel
		u.mu.Unlock()
		err := u.consume(ctx)
		stopped := ctx.Err() != nil
		cancel()
		u.release()
		if stopped {
			continue
		}
		u.s.log.Warn("consumer of upstream events ended", elog.String("component", u.name), elog.FieldErr(err))
		u.pause(u.s.cfg.Subscribe.RestartDelay)
	}
}

// consume runs one consumer, and beside it the watch over acks that are late.
func (u *uplink) consume(ctx context.Context) error {
	watched := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		u.watch(ctx)
	}()
	err := u.s.deps.Consumer(groupPrefix+u.name).Run(ctx, func(part context.Context, d *bus.Delivery) {
		u.handle(ctx, part, d)
	})
	cancel()
	<-watched
	return err
}

func (u *uplink) watch(ctx context.Context) {
	t := time.NewTicker(max(min(time.Second, u.s.cfg.Subscribe.AckTimeout/4), time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			u.expire()
		case <-ctx.Done():
			return
		}
	}
}

// release forgets what is not in flight, after the consumer has ended: Kafka has it,
// and hands it to whoever comes next. Attempts are remembered.
func (u *uplink) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for socket, l := range u.lanes {
		keep := 0
		if l.state == laneSent {
			keep = 1
		}
		for _, e := range l.events[keep:] {
			delete(u.held, e.at)
			if e.attempt > 0 {
				u.attempts.put(e.mid, e.attempt)
			}
		}
		if l.stream != nil {
			l.stream.held -= len(l.events) - keep
		}
		l.events = l.events[:keep]
		if keep == 0 {
			delete(u.lanes, socket)
		}
	}
	for _, st := range u.streams {
		st.ready = nil
	}
	u.gaugeLocked()
	u.changeLocked()
}

// pause waits for d, or for the drain.
func (u *uplink) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-u.s.closing:
	}
}

// drain stops sending, waits for the acks of what was sent, bounded by ctx, and then
// ends the streams and the consumer. The consumer commits what was acked.
func (u *uplink) drain(ctx context.Context) {
	u.mu.Lock()
	u.draining = true
	u.mu.Unlock()
	for {
		wait := u.unanswered()
		if wait == nil {
			break
		}
		select {
		case <-wait:
			continue
		case <-ctx.Done():
		}
		break
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, st := range u.streams {
		st.fail(ErrClosing)
	}
	if u.stop != nil {
		u.stop()
	}
	u.changeLocked()
}

// unanswered returns a channel to wait for while events are in flight.
func (u *uplink) unanswered() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, st := range u.streams {
		if len(st.inflight) > 0 {
			return u.awaitLocked()
		}
	}
	return nil
}

// dismiss ends all streams, because the component may subscribe no longer.
func (u *uplink) dismiss() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, st := range u.streams {
		st.fail(ErrMethod)
	}
}
