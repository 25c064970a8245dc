package docs

import (
	"context"
	"errors"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// maxAsked is how many sockets are asked who they are at once.
const maxAsked = 500

// publish pushes what the members of a document have not been told. Two that
// publish at the same time may push the older state last: its revision tells.
func (l *library) publish(ctx context.Context, name string) error {
	o := l.owed(name)
	if o.people != nil {
		if err := l.push(ctx, name, "docs:presence", o.people); err != nil {
			return err
		}
	}
	if o.slide != nil {
		if err := l.push(ctx, name, "docs:slide", o.slide); err != nil {
			return err
		}
	}
	l.told(name, o)
	return nil
}

func (l *library) push(ctx context.Context, name, event string, arg any) error {
	_, err := l.sluice.Push(ctx, component.Push{Documents: []string{name}, Event: event, Args: []any{arg}})
	return err
}

// answer acknowledges a client's event, if it waits for that.
func (l *library) answer(ctx context.Context, e *component.Event, arg any) error {
	err := e.Reply(ctx, arg)
	if errors.Is(err, component.ErrNoReply) || errors.Is(err, component.ErrOffline) {
		return nil
	}
	return err
}

// refuse says why an event was not followed. Who does not wait for an answer is
// asked to open the document if that is what is missing.
func (l *library) refuse(ctx context.Context, e *component.Event, reason refusal) error {
	if !e.WantsReply() {
		if reason == notOpen {
			l.ask(ctx, []string{e.Socket()})
		}
		return nil
	}
	return l.answer(ctx, e, map[string]string{"error": string(reason)})
}

// askStrangers asks those who were in a document before this process knew it
// to open it again.
func (l *library) askStrangers(ctx context.Context, name string) {
	var there []string
	for s, err := range l.sluice.Sockets(ctx, component.List{Of: component.Of{Document: name}, PageSize: maxAsked}) {
		if err != nil {
			l.log.Warn("members of a document", elog.String("document", name), elog.FieldErr(err))
			break
		}
		if there = append(there, s.ID); len(there) == maxAsked {
			break
		}
	}
	if unknown := l.strangers(there); len(unknown) > 0 {
		l.ask(ctx, unknown)
	}
}

// ask has clients say docs:open again. It is not insisted on: whoever misses it
// is asked when it next does something.
func (l *library) ask(ctx context.Context, sockets []string) {
	if _, err := l.sluice.Push(ctx, component.Push{
		Sockets: sockets, Event: "docs:hello", Args: []any{struct{}{}}, Ephemeral: true,
	}); err != nil {
		l.log.Debug("hello dropped", elog.FieldErr(err))
	}
}
