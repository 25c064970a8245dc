package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/session"
)

// GetSocket tells what is known of one socket.
func (s *Server) GetSocket(ctx context.Context, req *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
	socket, err := s.cfg.Limits.getSocket(req)
	if err != nil {
		return nil, err
	}
	c, err := s.deps.Index.Get(ctx, socket)
	if err != nil {
		return nil, s.lookupError(ctx, err)
	}
	return &sluicev1.GetSocketResponse{Socket: describe(caller(ctx), &c)}, nil
}

// ListSockets pages through the sockets of a user or of a document.
func (s *Server) ListSockets(ctx context.Context, req *sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) {
	l, err := s.cfg.Limits.list(req)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).mayList(l.of); err != nil {
		return nil, err
	}
	for {
		out, err := s.page(ctx, l)
		if err != nil || l.size == 1 || proto.Size(out) <= s.cfg.Server.answerRoom() {
			return out, err
		}
		// Sockets with many documents each: a page that fits is read instead.
		l.size /= 2
	}
}

func (s *Server) page(ctx context.Context, l *list) (*sluicev1.ListSocketsResponse, error) {
	var seen []session.Seen
	var next string
	var err error
	if l.of.Kind == id.KindDoc {
		seen, next, err = s.deps.Index.OfDoc(ctx, id.Doc(l.of.Name), l.after, l.size)
	} else {
		seen, next, err = s.deps.Index.OfUser(ctx, id.User(l.of.Name), l.after, l.size)
	}
	if err != nil {
		return nil, s.lookupError(ctx, err)
	}
	out := &sluicev1.ListSocketsResponse{NextPageToken: pageToken(l.of, next)}
	if !l.details {
		for _, e := range seen {
			out.Sockets = append(out.Sockets, &sluicev1.Socket{Id: e.Socket.String(), Seen: timestamp(e.At)})
		}
		return out, nil
	}
	out.Sockets, err = s.details(ctx, seen)
	return out, err
}

// details fills a page in; sockets that went away since it was read are left out.
func (s *Server) details(ctx context.Context, seen []session.Seen) ([]*sluicev1.Socket, error) {
	sockets := make([]id.Socket, len(seen))
	for i, e := range seen {
		sockets[i] = e.Socket
	}
	found, failed, err := s.clients(ctx, sockets)
	if err != nil {
		return nil, err
	}
	if len(failed) > 0 {
		return nil, dependency(ctx, "session index", errLookup)
	}
	var out []*sluicev1.Socket
	for _, socket := range sockets {
		if c, ok := found[socket]; ok {
			out = append(out, describe(caller(ctx), &c))
		}
	}
	return out, nil
}

var errLookup = errors.New("sockets could not be looked up")

// CountSockets counts the sockets of a user or of a document.
func (s *Server) CountSockets(ctx context.Context, req *sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) {
	of, err := s.cfg.Limits.count(req)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).mayList(of); err != nil {
		return nil, err
	}
	var n int
	if of.Kind == id.KindDoc {
		n, err = s.deps.Index.CountDoc(ctx, id.Doc(of.Name))
	} else {
		n, err = s.deps.Index.CountUser(ctx, id.User(of.Name))
	}
	if err != nil {
		return nil, s.lookupError(ctx, err)
	}
	return &sluicev1.CountSocketsResponse{Sockets: uint64(max(n, 0))}, nil
}

// mayList checks a list's document; users are everybody's.
func (c *component) mayList(of id.Target) error {
	if of.Kind == id.KindDoc && !c.mayDocument(id.Doc(of.Name)) {
		return ErrDocument
	}
	return nil
}

func (s *Server) lookupError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, session.ErrNotFound):
		return err
	case errors.Is(err, session.ErrCursor):
		return &InvalidError{Violations: []Violation{{Field: "page_token", Reason: "is not from a previous response of the same list"}}}
	}
	return dependency(ctx, "session index", err)
}

// describe shows a socket to a component, with the documents that it may see.
func describe(to *component, c *session.Client) *sluicev1.Socket {
	return &sluicev1.Socket{
		Id: c.Socket.String(), User: string(c.User), Documents: to.visible(c.Docs),
		Replica: uint32(c.Replica), AuthType: c.AuthType, ClientVersion: c.ClientVersion,
		Locale: c.Locale, Since: timestamp(c.Since), Seen: timestamp(c.Seen),
	}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
