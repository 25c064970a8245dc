package echo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// Bounds of a burst: a client may ask for no more, and a burst may not take
// longer than this many milliseconds in all.
const (
	maxCount = 10_000
	maxBurst = 20_000
)

type echo struct {
	sluice *component.Client
	log    *elog.Component
}

func (e *echo) handler() component.Handler {
	var m component.Mux
	m.OnKind(component.Connect, e.greet)
	m.On("message", e.message)
	m.On("message-with-ack", e.acknowledge)
	m.On("burst", e.burst)
	m.On("disconnect-me", e.disconnect)
	return func(ctx context.Context, ev *component.Event) error {
		err := m.Handle(ctx, ev)
		if err == nil {
			return nil
		}
		e.log.Warn("event of the echo", elog.String("event", ev.Name()), elog.String("mid", ev.Mid()), elog.FieldErr(err))
		if errors.Is(err, component.ErrInvalid) || errors.Is(err, errArguments) {
			return nil // the same the next time
		}
		return err
	}
}

var errArguments = errors.New("echo: bad arguments")

func (e *echo) greet(ctx context.Context, ev *component.Event) error {
	return e.push(ctx, ev, "auth", "", ev.Payload())
}

func (e *echo) message(ctx context.Context, ev *component.Event) error {
	return e.push(ctx, ev, "message-back", "", ev.Payload())
}

// push emits to the socket that an event is from. The key makes an event that
// is delivered again harmless.
func (e *echo) push(ctx context.Context, ev *component.Event, name, part string, p component.Payload) error {
	_, err := e.sluice.Push(ctx, component.Push{
		Sockets: []string{ev.Socket()}, Namespace: ev.Namespace(), Event: name, Payload: p, Key: ev.Mid() + part,
	})
	return err
}

func (e *echo) acknowledge(ctx context.Context, ev *component.Event) error {
	err := ev.ReplyPayload(ctx, ev.Payload())
	if errors.Is(err, component.ErrNoReply) || errors.Is(err, component.ErrOffline) {
		return nil
	}
	return err
}

// burst emits in the handler, so that whatever the socket says next is answered
// after it.
func (e *echo) burst(ctx context.Context, ev *component.Event) error {
	var n, ms int
	if err := ev.Bind(&n, &ms); err != nil || n < 0 || n > maxCount || ms < 0 || ms*n > maxBurst {
		return fmt.Errorf("%w: burst", errArguments)
	}
	if ms == 0 {
		return e.volley(ctx, ev, n)
	}
	tick := time.NewTicker(time.Duration(ms) * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		if i > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p, err := component.Pack(i)
		if err != nil {
			return err
		}
		if err := e.push(ctx, ev, "message-back", "/"+strconv.Itoa(i), p); err != nil {
			return err
		}
	}
	return nil
}

// volley emits without a pause: one stream instead of as many calls.
func (e *echo) volley(ctx context.Context, ev *component.Event, n int) error {
	s, err := e.sluice.PushStream(ctx)
	if err != nil {
		return err
	}
	for i := range n {
		if err := s.Send(component.Push{
			Sockets: []string{ev.Socket()}, Namespace: ev.Namespace(), Event: "message-back", Args: []any{i},
			Key: ev.Mid() + "/" + strconv.Itoa(i),
		}); err != nil {
			_, _ = s.Close() // the error is what ended it
			return err
		}
	}
	_, err = s.Close()
	return err
}

func (e *echo) disconnect(ctx context.Context, ev *component.Event) error {
	var whole bool
	if err := ev.Bind(&whole); err != nil {
		return fmt.Errorf("%w: disconnect-me", errArguments)
	}
	_, err := e.sluice.Kick(ctx, component.Kick{
		Who: component.Who{Sockets: []string{ev.Socket()}}, Namespace: ev.Namespace(), Close: whole,
	})
	return err
}
