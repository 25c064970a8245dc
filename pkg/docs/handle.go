package docs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// maxCursorAge is how old a cursor may be that is passed on. What waited for
// longer, in Kafka while this component was away, interests nobody.
const maxCursorAge = 2 * time.Second

// handler returns the component's side of doc.go. An error from it has the
// event delivered again, so everything below may be done twice.
func (l *library) handler() component.Handler {
	var m component.Mux
	m.On("docs:open", l.open)
	m.On("docs:cursor", l.cursor)
	m.On("docs:comment", l.comment)
	m.On("docs:present", l.present)
	m.On("docs:slide", l.turn)
	m.OnKind(component.Disconnect, l.gone)
	return func(ctx context.Context, e *component.Event) error {
		err := m.Handle(ctx, e)
		if reason, ok := reasonOf(err); ok {
			return l.refuse(ctx, e, reason)
		}
		if err != nil {
			l.log.Warn("event of the example", elog.String("event", e.Name()), elog.String("mid", e.Mid()), elog.FieldErr(err))
		}
		return err
	}
}

// open makes the socket a member of the document and tells it what is there.
func (l *library) open(ctx context.Context, e *component.Event) error {
	var r openRequest
	if e.Bind(&r) != nil || r.check() != nil {
		return badRequest
	}
	// Join first: from here on the client gets what is pushed, and so misses
	// nothing that happens after its view was taken.
	joined, err := l.sluice.Join(ctx, component.Who{Sockets: []string{e.Socket()}}, r.Document)
	if err != nil {
		return err
	}
	for _, change := range joined {
		switch change.Outcome {
		case component.Acked:
		case component.Offline:
			return nil // it left; its Disconnect was or will be here
		case component.Overloaded, component.Timeout:
			return errors.New("join: " + change.Outcome.String())
		default:
			return refusal(change.Reason)
		}
	}
	view, before, fresh, err := l.enter(e.Socket(), r.Document, r.person)
	if err != nil {
		return errors.Join(err, l.leaveDocument(ctx, e.Socket(), r.Document))
	}
	if before != "" {
		if err := errors.Join(l.leaveDocument(ctx, e.Socket(), before), l.publish(ctx, before)); err != nil {
			return err
		}
	}
	if fresh {
		l.askStrangers(ctx, r.Document)
	}
	return errors.Join(l.publish(ctx, r.Document), l.answer(ctx, e, view))
}

func (l *library) leaveDocument(ctx context.Context, socket, name string) error {
	_, err := l.sluice.Leave(ctx, component.Who{Sockets: []string{socket}}, name)
	return err
}

// cursorView is a cursor as the others see it.
type cursorView struct {
	Socket string `json:"socket"`
	person
	point
}

// cursor passes a pointer's place on. It is worth nothing a moment later, so
// no error has it delivered again.
func (l *library) cursor(ctx context.Context, e *component.Event) error {
	var p point
	if e.Bind(&p) != nil || p.check() != nil {
		return badRequest
	}
	if l.now().Sub(e.Time()) > maxCursorAge {
		return nil
	}
	v := cursorView{Socket: e.Socket(), point: p}
	name, err := l.change(e.Socket(), func(_ *document, who person, _ int64) error {
		v.person = who
		return nil
	})
	if err != nil {
		return err
	}
	// To the sender too: it sees how long the way there and back is.
	if _, err := l.sluice.Push(ctx, component.Push{
		Documents: []string{name}, Event: "docs:cursor", Args: []any{v},
		Ephemeral: true, LatestKey: "cursor:" + e.Socket(),
	}); err != nil {
		l.log.Debug("cursor dropped", elog.FieldErr(err))
	}
	return nil
}

// comment keeps a comment and has it delivered to every member, once.
func (l *library) comment(ctx context.Context, e *component.Event) error {
	var r commentRequest
	if e.Bind(&r) != nil || r.check() != nil {
		return badRequest
	}
	var c comment
	name, err := l.change(e.Socket(), func(d *document, who person, _ int64) error {
		c = d.say(comment{
			ID: e.Mid(), From: who.Name, Hue: who.Hue, Text: r.Text, At: e.Time().UnixMilli(), Nonce: r.Nonce,
		})
		return nil
	})
	if err != nil {
		return err
	}
	_, err = l.sluice.Push(ctx, component.Push{
		Documents: []string{name}, Event: "docs:comment", Args: []any{c},
		Key: "comment:" + c.ID, // the same however often the event comes
	})
	// A conflict: it was pushed before a restart, under another name since.
	if err != nil && !errors.Is(err, component.ErrConflict) {
		return err
	}
	return l.answer(ctx, e, map[string]string{"id": c.ID})
}

// present makes the sender the one who turns the pages, or ends that.
func (l *library) present(ctx context.Context, e *component.Event) error {
	var r presentRequest
	if e.Bind(&r) != nil || r.check() != nil {
		return badRequest
	}
	return l.changeSlide(ctx, e, func(d *document, _ person, rev int64) error {
		d.present(e.Socket(), r.On, r.Index, rev)
		return nil
	})
}

// turn shows another slide to all who follow.
func (l *library) turn(ctx context.Context, e *component.Event) error {
	var r slideRequest
	if e.Bind(&r) != nil || r.check() != nil {
		return badRequest
	}
	return l.changeSlide(ctx, e, func(d *document, _ person, rev int64) error {
		return d.turn(e.Socket(), r.Index, rev)
	})
}

func (l *library) changeSlide(ctx context.Context, e *component.Event, do func(*document, person, int64) error) error {
	name, err := l.change(e.Socket(), do)
	if err != nil {
		return err
	}
	if err := l.publish(ctx, name); err != nil {
		return err
	}
	return l.answer(ctx, e, struct{}{})
}

// gone takes a socket out. On a redelivery it is out already, and the event's
// own list says who may not know it yet.
func (l *library) gone(ctx context.Context, e *component.Event) error {
	concerned := e.Documents()
	if name := l.leave(e.Socket()); name != "" && !slices.Contains(concerned, name) {
		concerned = append(slices.Clone(concerned), name)
	}
	var errs []error
	for _, name := range concerned {
		errs = append(errs, l.publish(ctx, name))
	}
	return errors.Join(errs...)
}
