package bench

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"sluice/pkg/bench/swarm"
	"sluice/pkg/bench/tally"
)

// driver makes a target push, and says what reached it from below.
type driver interface {
	// Push sends a message. Nil means that the target has taken it.
	Push(ctx context.Context, to destination, args json.RawMessage) error
	// Received is what has come so far.
	Received(ctx context.Context) (received, error)
	Close() error
}

// destination is a document or a socket, or everybody if it is neither.
type destination struct{ document, socket string }

// received is what came up from clients: each once, and again.
type received struct {
	receipts, receiptsAgain uint64
	events, eventsAgain     uint64
	receiptTime, eventTime  tally.Histogram
}

// inbox counts what clients send to a component. It may be used by any number
// of goroutines.
type inbox struct {
	sentAt func(stream, number uint32) (at int64, ok bool)

	mu       sync.Mutex // guards what follows
	receipts map[uint32]*tally.Sequence
	events   map[uint32]*tally.Sequence
	sum      received
}

func newInbox(sentAt func(stream, number uint32) (int64, bool)) *inbox {
	return &inbox{sentAt: sentAt, receipts: map[uint32]*tally.Sequence{}, events: map[uint32]*tally.Sequence{}}
}

// receipt takes the arguments of a receipt; false means that they are none.
func (i *inbox) receipt(args json.RawMessage) bool {
	var n [4]uint32 // client, receipt, stream, message
	if json.Unmarshal(args, &n) != nil || n[1] == 0 {
		return false
	}
	now := swarm.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if see(i.receipts, n[0], n[1]) == tally.Duplicate {
		i.sum.receiptsAgain++
		return true
	}
	i.sum.receipts++
	if at, ok := i.sentAt(n[2], n[3]); ok {
		i.sum.receiptTime.Add(time.Duration(now - at))
	}
	return true
}

// event takes the arguments of an event upstream.
func (i *inbox) event(args json.RawMessage) bool {
	m, ok := swarm.ParseMark(args)
	if !ok {
		return false
	}
	now := swarm.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if see(i.events, m.Stream, m.Number) == tally.Duplicate {
		i.sum.eventsAgain++
		return true
	}
	i.sum.events++
	i.sum.eventTime.Add(time.Duration(now - m.At))
	return true
}

func see(of map[uint32]*tally.Sequence, client, number uint32) tally.Verdict {
	s := of[client]
	if s == nil {
		s = &tally.Sequence{}
		of[client] = s
	}
	return s.See(number)
}

// received returns the sums so far.
func (i *inbox) received() received {
	i.mu.Lock()
	defer i.mu.Unlock()
	sum := i.sum
	sum.receiptTime, sum.eventTime = tally.Histogram{}, tally.Histogram{}
	sum.receiptTime.Merge(&i.sum.receiptTime)
	sum.eventTime.Merge(&i.sum.eventTime)
	return sum
}
