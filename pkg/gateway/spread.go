package gateway

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A push with a window is delivered slot by slot, each slot a part of the
// receivers, so that a message that makes a hundred thousand clients read a
// document does not make them read it in the same second.
const (
	slotLength = 50 * time.Millisecond
	maxSlots   = 200
	maxSpread  = 10_000 // slots waiting; more are delivered at once
)

// spreader holds the slots that wait for their time.
type spreader struct {
	deliver func(context.Context, *push, uint32, uint32) error
	wake    chan struct{}

	mu    sync.Mutex // guards queue
	queue slotQueue
}

type waitingSlot struct {
	at          time.Time
	push        *push
	slot, slots uint32
}

func newSpreader(deliver func(context.Context, *push, uint32, uint32) error) *spreader {
	return &spreader{deliver: deliver, wake: make(chan struct{}, 1)}
}

// add plans the slots of p; false when too many wait already.
func (s *spreader) add(p *push) bool {
	slots := uint32(min(max(p.within/slotLength, 1), maxSlots))
	s.mu.Lock()
	if s.queue.Len()+int(slots) > maxSpread {
		s.mu.Unlock()
		return false
	}
	for i := range slots {
		heap.Push(&s.queue, waitingSlot{
			at: p.arrived.Add(p.within * time.Duration(i) / time.Duration(slots)), push: p, slot: i, slots: slots,
		})
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// run delivers each slot at its time. When ctx ends it returns; flush delivers
// what is left.
func (s *spreader) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, wait := s.due(time.Now())
		for _, w := range due {
			if s.deliver(ctx, w.push, w.slot, w.slots) != nil {
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// flush delivers at once what still waits: nobody is kept waiting for a window
// by a gateway that leaves.
func (s *spreader) flush(ctx context.Context) error {
	due, _ := s.due(time.Now().Add(24 * time.Hour))
	for _, w := range due {
		if err := s.deliver(ctx, w.push, w.slot, w.slots); err != nil {
			return err
		}
	}
	return nil
}

// due takes the slots whose time has come, and says when the next one comes.
func (s *spreader) due(now time.Time) ([]waitingSlot, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []waitingSlot
	for s.queue.Len() > 0 {
		if wait := s.queue[0].at.Sub(now); wait > 0 {
			return due, wait
		}
		due = append(due, heap.Pop(&s.queue).(waitingSlot))
	}
	return due, time.Hour
}

type slotQueue []waitingSlot

func (q slotQueue) Len() int           { return len(q) }
func (q slotQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q slotQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *slotQueue) Push(x any)        { *q = append(*q, x.(waitingSlot)) }
func (q *slotQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = waitingSlot{}
	*q = (*q)[:last]
	return w
}
