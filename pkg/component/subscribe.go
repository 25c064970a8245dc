package component

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Handler handles one event. Nil acknowledges it, an error has it delivered
// again, a bounded number of times. The context ends after
// Options.HandlerTimeout and carries the event's trace; it does not end with
// Subscribe's, so that what was begun can be finished. A panic counts as an
// error.
type Handler func(ctx context.Context, e *Event) error

// Subscribe receives the events that Sluice is configured to send to this
// component, until ctx ends; then it takes no more, waits for running handlers
// (at most Options.Drain), acknowledges what they did and returns nil. When the
// connection breaks it subscribes again, for as long as it takes. It returns an
// error only for what time does not mend: refused credentials, a closed Client,
// or handlers that ignore the end of their contexts (ErrHandlers).
//
// Events of one socket are handled one at a time and in order, those of
// different sockets by Options.Workers goroutines. What was received and not
// handled when a connection broke is delivered again; what was handled and could
// not be acknowledged is recognised by its Mid when it comes again soon, and not
// handled twice. What other processes have handled is not known: a handler whose
// effects must happen once keeps the Mids itself. An event whose handler failed
// comes again when younger ones of its socket may have been handled.
func (c *Client) Subscribe(ctx context.Context, h Handler) error {
	s := newSubscription(ctx, c, h)
	err := s.receive(ctx)
	if drained := s.stop(); err == nil && !drained {
		err = ErrHandlers
	}
	return err
}

// subscription is one Subscribe. Its lanes outlive the streams that fill them:
// so the order per socket holds over a reconnect.
type subscription struct {
	c     *Client
	h     Handler
	lanes []lane
	seed  maphash.Seed
	room  chan struct{} // one for each event that was received and not settled

	// handling is the parent of the handlers' contexts: not Subscribe's, which
	// ends when the handlers are to finish.
	handling context.Context
	abort    context.CancelFunc

	mu      sync.Mutex // guards stopped, and orders it before wg.Wait
	stopped bool
	wg      sync.WaitGroup // goroutines of the lanes

	handled memory
	stop    func() bool // drain, once
}

func newSubscription(ctx context.Context, c *Client, h Handler) *subscription {
	s := &subscription{
		c:       c,
		h:       h,
		lanes:   make([]lane, c.o.Workers),
		seed:    maphash.MakeSeed(),
		room:    make(chan struct{}, c.o.MaxInFlight),
		handled: memory{size: 2 * c.o.MaxInFlight},
	}
	s.stop = sync.OnceValue(s.drain)
	s.handling, s.abort = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// receive keeps a stream open until ctx ends.
func (s *subscription) receive(ctx context.Context) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := context.AfterFunc(s.c.closing, cancel)
	defer stopped()
	backoff := backoffBase
	for ctx.Err() == nil {
		begun, err := s.stream(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case s.c.closing.Err() != nil:
			return ErrClosed
		case lasting(err):
			return newError("subscribe", 1, err)
		}
		if begun {
			backoff = backoffBase
		}
		s.c.tell(fmt.Errorf("component: subscription interrupted: %w", err))
		// Full jitter, but never at once: all components of a server come back.
		pause(waiting, backoff/10+rand.N(backoff))
		backoff = min(2*backoff, backoffMax)
	}
	return nil
}

// lasting tells whether trying again is of no use.
func lasting(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

// tell reports what was dealt with.
func (c *Client) tell(err error) {
	if c.o.OnError != nil {
		c.o.OnError(err)
	}
}

// dispatch gives an event to the lane of its socket. It waits while MaxInFlight
// events are in hand, which a server that counts does not let happen.
func (s *subscription) dispatch(f *feed, up *sluicev1.UpEvent) {
	select {
	case s.room <- struct{}{}:
	case <-f.rpc.Context().Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		<-s.room
		return
	}
	l := &s.lanes[maphash.String(s.seed, up.GetSocket())%uint64(len(s.lanes))]
	if l.add(job{f, up}) {
		s.wg.Go(func() { s.work(l) })
	}
}

// work empties a lane.
func (s *subscription) work(l *lane) {
	for {
		j, ok := l.next()
		if !ok {
			return
		}
		s.settle(j)
		<-s.room
	}
}

// settle handles one event, if it is still ours to handle.
func (s *subscription) settle(j job) {
	if j.f.over() || s.stopping() {
		return // it is delivered again, to whoever subscribes
	}
	mid := j.up.GetMid()
	if s.handled.has(mid) {
		j.f.ack(j.up.GetDelivery())
		return
	}
	if err := s.handle(j.up); err != nil {
		j.f.nack(j.up.GetDelivery(), err)
		return
	}
	s.handled.add(mid)
	j.f.ack(j.up.GetDelivery())
}

func (s *subscription) handle(up *sluicev1.UpEvent) (err error) {
	ctx, cancel := context.WithTimeout(s.handling, s.c.o.HandlerTimeout)
	defer cancel()
	if trace := up.GetTraceparent(); trace != "" {
		ctx = WithTraceparent(ctx, trace)
	}
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("handler panicked")
			s.c.tell(fmt.Errorf("component: handler panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	return s.h(ctx, &Event{c: s.c, up: up})
}

func (s *subscription) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// finish lets no handler begin any more.
func (s *subscription) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

// drain waits for the handlers that run: for Options.Drain, then with their
// contexts cancelled for a moment more. False: some ignore that.
func (s *subscription) drain() bool {
	s.finish()
	defer s.abort()
	if s.wait(s.c.o.Drain) {
		return true
	}
	s.abort()
	return s.wait(grace)
}

const grace = time.Second

func (s *subscription) wait(limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
