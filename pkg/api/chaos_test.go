package api

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// history is what a component saw. It checks each delivery as it comes: when an event
// of a socket arrives, all earlier ones of it have been acked.
type history struct {
	t     *testing.T
	mu    sync.Mutex
	acked map[string]int // by socket: events acked, which are its first ones
	seen  int
	twice int
}

// deliver notes an event, whose args are [its number among those of its socket].
func (h *history) deliver(e *sluicev1.UpEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := number(h.t, e)
	h.seen++
	switch done := h.acked[e.GetSocket()]; {
	case n > done:
		h.t.Errorf("socket %s: event %d came although only %d before it are acked: %v", e.GetSocket(), n, done, e)
	case n < done:
		h.twice++
	}
}

func (h *history) ack(e *sluicev1.UpEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := number(h.t, e); n == h.acked[e.GetSocket()] {
		h.acked[e.GetSocket()]++
	}
}

func (h *history) done(sockets, each int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	total := 0
	for _, n := range h.acked {
		total += n
	}
	return total == sockets*each
}

func number(t *testing.T, e *sluicev1.UpEvent) int {
	args := e.GetEvent().GetArgs()
	n, err := strconv.Atoi(args[1 : len(args)-1])
	if err != nil {
		t.Errorf("args %q", args)
	}
	return n
}

// TestOrderHoldsInBadTimes lets the streams of a component come and go, ack late, nack
// and keep silent, on two servers of which one is replaced, while clients send.
func TestOrderHoldsInBadTimes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SLUICE_TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("SLUICE_TEST_SEED=%d", seed)
	k := newKafka(t, 4)
	change := func(w *world) {
		c := &w.cfg.Subscribe
		c.Backoff, c.Attempts, c.AckTimeout = time.Millisecond, 100, 300*time.Millisecond
		c.Linger, c.DrainTimeout = 50*time.Millisecond, 500*time.Millisecond
	}
	const sockets, each, workers = 24, 25, 3
	h := &history{t: t, acked: map[string]int{}}
	over := make(chan struct{})
	var wg sync.WaitGroup
	components := func(w *world, seed uint64, leave <-chan struct{}) {
		for i := range workers {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			wg.Go(func() {
				for {
					select {
					case <-over:
						return
					case <-leave:
						return
					default:
						badComponent(w, r, h, over)
					}
				}
			})
		}
	}
	stays, leaves := upWorld(t, k, change), upWorld(t, &testKafka{t: t, cfg: k.cfg, bus: openBus(t, k.cfg)}, change)
	gone := make(chan struct{})
	components(stays, seed, nil)
	components(leaves, seed+1, gone)
	wg.Go(func() {
		mid := id.Message(0)
		for n := range each {
			for s := range sockets {
				mid++
				rec := clientEvent(mid, id.Socket(s+1), "edit", func(_ *bus.Headers, up *bus.Up) { up.Args = fmt.Appendf(nil, "[%d]", n) })
				k.up(rec)
				if mid%50 == 0 {
					k.up(rec) // a producer's repetition
				}
			}
			if n == each/2 {
				close(gone)
				leaves.stop()
				next := upWorld(t, &testKafka{t: t, cfg: k.cfg, bus: openBus(t, k.cfg)}, change)
				components(next, seed+2, nil)
			}
		}
	})
	for end := time.Now().Add(60 * time.Second); !h.done(sockets, each); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not everything was delivered: %v", h.acked)
			break
		}
	}
	close(over)
	wg.Wait()
	t.Logf("%d events, %d deliveries, %d of them of events that had been acked", sockets*each, h.seen, h.twice)
}

// badComponent subscribes for a while.
func badComponent(w *world, r *rand.Rand, h *history, over <-chan struct{}) {
	s := w.open("docs")
	_ = s.grpc.Send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{
		Start: &sluicev1.SubscribeRequest_Start{MaxInFlight: uint32(1 + r.IntN(20))},
	}})
	if _, err := s.grpc.Recv(); err != nil {
		time.Sleep(5 * time.Millisecond)
		return
	}
	s.read()
	defer s.end()
	for range 20 + r.IntN(100) {
		var e *sluicev1.UpEvent
		select {
		case e = <-s.events:
		case err := <-s.ended:
			s.ended <- err
			return
		case <-over:
			return
		case <-time.After(500 * time.Millisecond):
			return
		}
		h.deliver(e)
		if r.IntN(10) == 0 {
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		}
		var err error
		switch r.IntN(20) {
		case 0:
			err = s.grpc.Send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Nack_{
				Nack: &sluicev1.SubscribeRequest_Nack{Delivery: e.GetDelivery(), Reason: "chaos"}}})
		case 1: // silence
		default:
			h.ack(e) // before it is sent: the server may take it at once
			err = s.grpc.Send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Ack_{
				Ack: &sluicev1.SubscribeRequest_Ack{Deliveries: []uint64{e.GetDelivery()}}}})
		}
		if err != nil {
			return
		}
	}
}
