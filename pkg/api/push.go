package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Push sends one event to sockets, users, documents or everybody.
func (s *Server) Push(ctx context.Context, req *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
	c := caller(ctx)
	p, err := s.admitPush(c, req)
	if err != nil {
		return nil, err
	}
	if err := c.quota.push(s.now(), p.bytes()); err != nil {
		return nil, err
	}
	if p.ephemeral {
		return s.pushEphemeral(ctx, c, p)
	}
	a, err := s.beginPush(ctx, c, p)
	if err != nil {
		return nil, err
	}
	return a.wait(ctx)
}

// admitPush validates a request and checks it against what the component may do.
func (s *Server) admitPush(c *component, req *sluicev1.PushRequest) (*push, error) {
	p, err := s.cfg.Limits.push(req)
	if err != nil {
		return nil, err
	}
	if p.all && !c.mayCall("PushAll") {
		return nil, ErrEverybody
	}
	return p, c.mayDocuments(p.documents)
}

// message is what all records of one push share.
func (s *Server) message(ctx context.Context, c *component, p *push, mid id.Message) bus.Push {
	return bus.Push{
		Mid: mid, Namespace: p.namespace,
		Event: p.event.name, Args: p.event.args, Attachments: p.event.attachments,
		Except: p.except, AuthTypes: p.filter.authTypes,
		MinVersion: p.filter.minVersion, MaxVersion: p.filter.maxVersion, Locales: p.filter.locales,
		Component: c.name, WithinMS: millisUp(p.within), LatestKey: p.latestKey, Multi: p.count() > 1,
		Traceparent: s.traceparent(ctx, mid), SentAt: s.now().UnixMilli(),
	}
}

// millisUp rounds up, so that a short window does not become none.
func millisUp(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// mint gives a push its id.
func (s *Server) mint() (id.Message, error) {
	mid, err := s.deps.IDs.Message()
	if err == nil || errors.Is(err, id.ErrLease) {
		return mid, err
	}
	return 0, fmt.Errorf("mint a message id: %w", err)
}
