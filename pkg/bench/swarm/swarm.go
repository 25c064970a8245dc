package swarm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sluice/pkg/bench/tally"
)

// Options says what the clients are.
type Options struct {
	// Servers are reached in turn: client i by number i modulo their count.
	Servers []netip.AddrPort
	Host    string // the Host header
	Path    string // as "/socket.io/"
	// Sources are the addresses that clients connect from, in turn. None leaves
	// it to the system, which has about 28,000 ports for each server.
	Sources []netip.Addr
	// First is the number of the first client, Count how many there are.
	First, Count uint32
	// Loops share the clients, a goroutine each.
	Loops int
	// AtOnce is how many of a loop may be connecting at the same time.
	AtOnce int
	// ConnectTimeout ends a connect. RetryAfter is the pause after one that
	// failed, and before a client that the server dropped comes back.
	ConnectTimeout, RetryAfter time.Duration
	// TLS of all connections; nil for none.
	TLS *tls.Config
	// Settle is how long before a client leaves messages need not arrive any more.
	Settle time.Duration
	// Event is the name of the counted messages; Streams is the number of
	// streams, and Stream that of a client.
	Event   string
	Streams int
	Stream  func(client uint32) uint32
	// Auth appends the payload of a client's CONNECT, a JSON object or nothing.
	Auth func(dst []byte, client uint32) []byte
	// Receipt is the event that answers each counted message, with the number of
	// the client, that of the receipt, which counts the client's own from 1 on,
	// and those of stream and message. Empty for none.
	Receipt string
	// KeepIDs keeps the ids that the server gives to clients, for SocketIDs.
	KeepIDs bool
	// Slow is the number of clients of each loop that stop reading once they
	// are connected. Nothing is expected of them.
	Slow uint32
}

// Upstream is what clients send.
type Upstream struct {
	Rate  float64 // events per second of all clients of the swarm; 0 stops
	Event string
	Bytes int  // of filling, besides the numbers
	Ack   bool // wait for the answer and take its time
	// Args are sent as they are, a JSON array, instead of numbers and filling: for
	// events whose answer does not bring back what was sent. A client's answer is
	// timed then if it comes before the client sends again.
	Args string
}

// Swarm is a group of clients. Its methods may be called while Run runs, from
// one goroutine.
type Swarm struct {
	loops []*loop
	ended chan struct{}
}

// ErrEnded means that the clients are gone.
var ErrEnded = errors.New("swarm: ended")

// New makes the clients. They do nothing before Run and Connect.
func New(cfg Options) (*Swarm, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	if cfg.Count == 0 || cfg.Loops <= 0 || len(cfg.Servers) == 0 || cfg.Count >= wakeLimit {
		return nil, fmt.Errorf("swarm: %d clients in %d loops for %d servers", cfg.Count, cfg.Loops, len(cfg.Servers))
	}
	s := &Swarm{ended: make(chan struct{})}
	loops := min(uint32(cfg.Loops), cfg.Count)
	for i := range loops {
		first, end := cfg.Count*i/loops, cfg.Count*(i+1)/loops
		s.loops = append(s.loops, newLoop(&cfg, cfg.First+first, end-first))
	}
	return s, nil
}

// wakeLimit keeps the numbers of clients apart from the poller's own.
const wakeLimit = 1 << 20

// Run works until ctx ends; then all connections are closed.
func (s *Swarm) Run(ctx context.Context) error {
	defer close(s.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(s.loops))
	var all sync.WaitGroup
	for i, l := range s.loops {
		all.Go(func() {
			defer cancel() // one loop less is another measurement
			errs[i] = l.run(ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// each runs f for every loop on its goroutine, one after the other.
func (s *Swarm) each(f func(*loop)) error {
	for _, l := range s.loops {
		done := make(chan struct{})
		l.post(func() { f(l); close(done) })
		select {
		case <-done:
		case <-s.ended:
			return ErrEnded
		}
	}
	return nil
}

// Connect lets a share of the clients connect and keeps them connected, at rate
// in all per second; 0 is as fast as AtOnce allows. Calling it again with a
// larger share lets more of them come. It returns how many they are.
func (s *Swarm) Connect(rate, share float64) (allowed int, err error) {
	err = s.each(func(l *loop) {
		l.connects.set(rate*l.share(s), Now())
		l.allowed = int(share*float64(len(l.clients)) + 0.5)
		allowed += l.allowed
	})
	return allowed, err
}

// SocketIDs are the ids that the server gave to clients when they last connected,
// from the first client on. It needs Options.KeepIDs.
func (s *Swarm) SocketIDs() ([]string, error) {
	var all []string
	err := s.each(func(l *loop) {
		all = append(all, l.ids...)
	})
	return all, err
}

// Announce says that the next counted message of a stream is being sent. It
// must be called before any client can receive it, or soon after.
func (s *Swarm) Announce(stream uint32, at int64) error {
	return s.each(func(l *loop) { l.ledgers[stream].Sent(at) })
}

// Fail says that the sender of a message got an error: it may come or not.
func (s *Swarm) Fail(stream, number uint32) error {
	return s.each(func(l *loop) { l.ledgers[stream].Failed(number) })
}

// Churn makes clients leave at a rate in all per second; they come back at once.
func (s *Swarm) Churn(rate float64) error {
	return s.each(func(l *loop) { l.leaves.set(rate*l.share(s), Now()) })
}

// Cut resets the connections of a share of the clients, all at the same time.
// They come back.
func (s *Swarm) Cut(share float64) error {
	return s.each(func(l *loop) { l.cut(share) })
}

// Send makes clients send events, in turn.
func (s *Swarm) Send(u Upstream) error {
	return s.each(func(l *loop) { l.setUpstream(u, u.Rate*l.share(s)) })
}

// Snapshot returns what happened so far.
func (s *Swarm) Snapshot() (Stats, error) {
	var sum Stats
	err := s.each(func(l *loop) {
		stats := l.snapshot()
		sum.Add(&stats)
	})
	return sum, err
}

// Balance settles the sessions that have ended and those that go on, as if they
// were cut now: what was sent and has not arrived counts as lost.
func (s *Swarm) Balance() (tally.Balance, error) {
	var sum tally.Balance
	err := s.each(func(l *loop) { sum.Add(l.balance()) })
	return sum, err
}

func (l *loop) share(s *Swarm) float64 {
	var all int
	for _, l := range s.loops {
		all += len(l.clients)
	}
	return float64(len(l.clients)) / float64(all)
}
