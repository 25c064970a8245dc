package stand

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Faults are what the server does wrong on purpose. Each is every so manieth
// delivery, counted over all; 0 is never.
type Faults struct {
	Lose   uint64 // leave one out
	Repeat uint64 // send one twice
	Swap   uint64 // send one after the next
	// Drop closes the connection instead of delivering.
	Drop uint64
	// Times, if it is set, says how often a message goes to who is in these
	// rooms: 0, 1 or 2 times.
	Times func(rooms []string, message []byte) int
}

// Server is a stand-in. Make one with Listen.
type Server struct {
	faults   Faults
	listener net.Listener
	clients  sync.WaitGroup
	ids      atomic.Uint64 // of sockets

	mu         sync.Mutex // guards what follows
	sockets    map[*socket]struct{}
	deliveries uint64
	lost       uint64
	repeated   uint64
	receipts   uint64
	ups        uint64
}

// Listen opens a port, with TLS if secure is not nil; Run serves it.
func Listen(address string, faults Faults, secure *tls.Config) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	return &Server{faults: faults, listener: l, sockets: map[*socket]struct{}{}}, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, and waits for its connections.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() }) // Accept tells
	defer stop()
	defer s.clients.Wait()
	defer s.cut()
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			s.clients.Go(func() { s.serve(conn) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			time.Sleep(10 * time.Millisecond) // out of descriptors, most likely
		}
	}
}

func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sockets {
		_ = c.conn.Close() // its reader ends
	}
}

// Lost and Repeated tell what the faults made of the deliveries.
func (s *Server) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// Repeated is the number of deliveries that were made twice.
func (s *Server) Repeated() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repeated
}

// push delivers to a room, with the faults that are due.
func (s *Server) push(room string, text []byte) {
	f := encode(text)
	type order struct {
		to   *socket
		what action
	}
	var orders []order
	s.mu.Lock()
	for c := range s.sockets {
		if !c.member(room) {
			continue
		}
		s.deliveries++
		what := s.dueLocked()
		if s.faults.Times != nil {
			what = [...]action{never, once, twice}[s.faults.Times(c.rooms, text)]
		}
		orders = append(orders, order{c, what})
	}
	s.mu.Unlock()
	for _, o := range orders {
		o.to.deliver(f, o.what)
	}
}

type action uint8

const (
	once action = iota
	never
	twice
	afterNext
	drop
)

func (s *Server) dueLocked() action {
	due := func(every uint64) bool { return every > 0 && s.deliveries%every == 0 }
	switch {
	case due(s.faults.Lose):
		s.lost++
		return never
	case due(s.faults.Repeat):
		s.repeated++
		return twice
	case due(s.faults.Swap):
		return afterNext
	case due(s.faults.Drop):
		return drop
	}
	return once
}
