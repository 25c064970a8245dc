package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/stream"

	"github.com/gotomicro/ego/core/elog"
)

// acceptance is a durable push on its way into Kafka: one record per target.
type acceptance struct {
	s         *Server
	comp      *component
	mid       id.Message
	key       string
	duplicate bool

	room chan struct{} // bounds the records that wait for their acks
	done chan struct{} // closed when all that were taken are settled

	mu   sync.Mutex
	left int   // guarded by mu: records not settled, and one for their being added
	err  error // guarded by mu: the first failure
}

// beginPush reserves the idempotency key and hands the records to the producer, in
// order, waiting while too many of them are unsettled. Two pushes to one target keep
// their order when the second begins after the first's beginPush returned.
func (s *Server) beginPush(ctx context.Context, c *component, p *push) (*acceptance, error) {
	mid, err := s.mint()
	if err != nil {
		return nil, err
	}
	a := &acceptance{
		s: s, comp: c, mid: mid, key: p.key, left: 1,
		room: make(chan struct{}, s.cfg.Work.PushRecords), done: make(chan struct{}),
	}
	if err := a.reserve(ctx, p); err != nil {
		return nil, err
	}
	if a.duplicate {
		a.settled(nil)
		return a, nil
	}
	err = a.enqueue(ctx, s.message(ctx, c, p, a.mid), p.targets())
	a.settled(err)
	return a, nil
}

// reserve binds the key to this push's content. When it was bound before, the push
// goes on under the id of that time: receivers drop what they have seen.
func (a *acceptance) reserve(ctx context.Context, p *push) error {
	if a.key == "" {
		return nil
	}
	r, err := a.s.deps.Keys.Reserve(ctx, a.comp.name, a.key, p.digest(), a.mid)
	if err != nil {
		return dependency(ctx, "store of idempotency keys", err)
	}
	switch r.State {
	case stream.Conflict:
		return ErrKeyUsed
	case stream.Done:
		a.duplicate = true
	}
	a.mid = r.Mid
	return nil
}

func (a *acceptance) enqueue(ctx context.Context, msg bus.Push, targets []id.Target) error {
	for i, t := range targets {
		select {
		case a.room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		rec, err := a.record(msg, t)
		if err != nil {
			return err
		}
		if err := a.hand(ctx, rec); err != nil {
			if i == 0 && ctx.Err() == nil && !errors.Is(err, bus.ErrTooLarge) {
				return &DependencyError{Name: "producer", Cause: err} // nothing was taken
			}
			return fmt.Errorf("record %d of %d: %w", i+1, len(targets), err)
		}
		if a.failed() {
			return nil // the rest would not change the answer
		}
	}
	return nil
}

// record is the push as one target's Kafka record. Its key is the target, so that
// each target's pushes keep their order.
func (a *acceptance) record(msg bus.Push, t id.Target) (bus.Record, error) {
	msg.Target = t
	body, err := msg.Append(nil)
	if err != nil {
		return bus.Record{}, fmt.Errorf("encode the push: %w", err)
	}
	h := bus.Headers{
		Mid: msg.Mid, Event: bus.EventMessage, Operator: bus.OperatorBroadcast,
		ServerVersion: a.s.deps.Version, PushClientID: a.comp.name, TraceID: msg.Traceparent,
		Stamps: []bus.Stamp{{Stage: "api", At: a.s.now()}},
	}
	switch t.Kind {
	case id.KindDoc:
		h.Doc = id.Doc(t.Name)
	case id.KindUser:
		h.User = id.User(t.Name)
	case id.KindSocket:
		h.Operator = bus.OperatorUnicast
		h.Socket, _ = t.Socket()
	}
	return bus.Record{Topic: a.s.deps.DownTopic, Key: t.String(), Headers: h, Body: body}, nil
}

// hand gives one record to the producer and waits while its buffer is full.
func (a *acceptance) hand(ctx context.Context, rec bus.Record) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		a.mu.Lock()
		a.left++
		a.mu.Unlock()
		err := a.s.deps.Producer.Enqueue(rec, func(err error) {
			<-a.room
			a.settled(err)
		})
		if err == nil {
			return nil
		}
		a.mu.Lock()
		a.left-- // never the last: begin holds one
		a.mu.Unlock()
		if !errors.Is(err, bus.ErrFull) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// settled counts one record, or the end of their being added.
func (a *acceptance) settled(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && a.err == nil {
		a.err = err
	}
	a.left--
	if a.left == 0 {
		close(a.done)
	}
}

func (a *acceptance) failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err != nil
}

// wait returns when every record is acknowledged by Kafka. An error after records
// have been handed over means that the outcome is unknown.
func (a *acceptance) wait(ctx context.Context) (*sluicev1.PushResponse, error) {
	select {
	case <-a.done:
	case <-ctx.Done():
		a.s.m.records.WithLabelValues("unknown").Inc()
		return nil, fmt.Errorf("push %s: %w", a.mid, ctx.Err())
	}
	a.mu.Lock()
	err := a.err
	a.mu.Unlock()
	if err != nil {
		return nil, a.outcome(ctx, err)
	}
	a.finish(ctx)
	return &sluicev1.PushResponse{Mid: a.mid.String(), Duplicate: a.duplicate}, nil
}

func (a *acceptance) outcome(ctx context.Context, err error) error {
	a.s.m.records.WithLabelValues("failed").Inc()
	switch {
	case errors.Is(err, ErrDependency):
		return err
	case errors.Is(err, bus.ErrTooLarge):
		return &InvalidError{Violations: []Violation{{Field: "event", Reason: "is too large to be stored"}}}
	case ctx.Err() != nil:
		return fmt.Errorf("push %s: %w", a.mid, ctx.Err())
	default:
		return fmt.Errorf("push %s: %w: %w", a.mid, ErrUnknownOutcome, err)
	}
}

// finish marks the key as done. When that fails the push is accepted all the same:
// a repetition would be published again under the same id, which receivers drop.
func (a *acceptance) finish(ctx context.Context) {
	if a.duplicate {
		a.s.m.pushes.WithLabelValues(a.comp.name, "duplicate").Inc()
		return
	}
	a.s.m.pushes.WithLabelValues(a.comp.name, "durable").Inc()
	if a.key == "" {
		return
	}
	if err := a.s.deps.Keys.Done(ctx, a.comp.name, a.key); err != nil {
		a.s.m.keysLost.Inc()
		a.s.log.Warn("idempotency key not marked as done", elog.String("mid", a.mid.String()), elog.FieldErr(err))
	}
}
