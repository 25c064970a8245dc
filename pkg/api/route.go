package api

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/pkg/id"
	"sluice/pkg/session"
)

// route is where one target of an ephemeral push has receivers.
type route struct {
	target   id.Target
	replicas []id.Replica // none: nobody is connected
}

// routes looks all targets of a push up, several at once.
func (s *Server) routes(ctx context.Context, p *push) ([]route, error) {
	targets := p.targets()
	out := make([]route, len(targets))
	sockets := make([][]id.Socket, len(targets)) // of user and socket targets
	err := s.parallel(ctx, len(targets), func(ctx context.Context, i int) (err error) {
		out[i].target = targets[i]
		switch t := targets[i]; t.Kind {
		case id.KindAll:
			out[i].replicas, err = s.living(ctx)
		case id.KindDoc:
			out[i].replicas, err = s.deps.Index.Nodes(ctx, id.Doc(t.Name))
		case id.KindUser:
			sockets[i], err = s.socketsOf(ctx, id.User(t.Name), s.cfg.Limits.MaxSelected)
		case id.KindSocket:
			socket, _ := t.Socket()
			sockets[i] = []id.Socket{socket}
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			s.m.drop(dropUnknown)
			return dependency(ctx, "session index", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	at, err := s.locations(ctx, slices.Concat(sockets...))
	if err != nil {
		return nil, err
	}
	for i := range out {
		for _, socket := range sockets[i] {
			if r, ok := at[socket]; ok && !slices.Contains(out[i].replicas, r) {
				out[i].replicas = append(out[i].replicas, r)
			}
		}
	}
	return out, nil
}

func (s *Server) living(ctx context.Context) ([]id.Replica, error) {
	nodes, err := s.deps.Index.Living(ctx)
	out := make([]id.Replica, len(nodes))
	for i, n := range nodes {
		out[i] = n.Replica
	}
	return out, err
}

// socketsOf lists a user's sockets, at most limit.
func (s *Server) socketsOf(ctx context.Context, u id.User, limit int) ([]id.Socket, error) {
	var out []id.Socket
	for after := ""; ; {
		seen, next, err := s.deps.Index.OfUser(ctx, u, after, maxPage)
		if err != nil {
			return nil, err
		}
		if len(out)+len(seen) > limit {
			return nil, errTooMany
		}
		for _, c := range seen {
			out = append(out, c.Socket)
		}
		if next == "" || next == after {
			return out, nil
		}
		after = next
	}
}

var errTooMany = &InvalidError{Violations: []Violation{{Field: "users", Reason: "have too many sockets in all"}}}

// locations returns the replicas that hold the sockets. The index is the truth, as
// a socket may have moved since its id was minted; while it is away, the replica in
// the id is the best guess. Sockets that are not connected are missing.
func (s *Server) locations(ctx context.Context, sockets []id.Socket) (map[id.Socket]id.Replica, error) {
	at := make(map[id.Socket]id.Replica, len(sockets))
	var mu sync.Mutex // guards at
	err := s.chunks(ctx, sockets, func(ctx context.Context, part []id.Socket) {
		clients, err := s.deps.Index.GetMany(ctx, part)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			for _, socket := range part {
				at[socket] = socket.Replica()
			}
			return
		}
		for i := range clients {
			at[clients[i].Socket] = clients[i].Replica
		}
	})
	return at, err
}

// clients looks sockets up; failed holds those that the index did not answer for.
func (s *Server) clients(ctx context.Context, sockets []id.Socket) (found map[id.Socket]session.Client, failed map[id.Socket]bool, err error) {
	found, failed = make(map[id.Socket]session.Client, len(sockets)), map[id.Socket]bool{}
	var mu sync.Mutex // guards found and failed
	err = s.chunks(ctx, sockets, func(ctx context.Context, part []id.Socket) {
		clients, err := s.deps.Index.GetMany(ctx, part)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			for _, socket := range part {
				failed[socket] = true
			}
			return
		}
		for i := range clients {
			found[clients[i].Socket] = clients[i]
		}
	})
	return found, failed, err
}

// chunks calls do with parts of the list, several at once. The error is that of
// parallel: ctx ended, or do panicked.
func (s *Server) chunks(ctx context.Context, list []id.Socket, do func(ctx context.Context, part []id.Socket)) error {
	parts := slices.Collect(slices.Chunk(list, s.cfg.Work.Chunk))
	return s.parallel(ctx, len(parts), func(ctx context.Context, i int) error {
		do(ctx, parts[i])
		return nil
	})
}

// parallel calls do for 0 to n-1, at most Work.Lookups at once, and returns the
// first error; the rest is then canceled.
func (s *Server) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	do = s.guarded(do)
	if n == 1 {
		return do(ctx, 0)
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.Work.Lookups)
	for i := range n {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return do(each, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
