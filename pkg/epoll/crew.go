package epoll

import (
	"slices"
	"sync"
)

// Crew are goroutines that serve what stands in line. Each takes one after the
// other, so that a burst wakes a few goroutines and not one for each, which would
// cost as much as the serving; and who has served others has a stack that is
// large enough. Serving may block: whoever takes one from the line sees to it
// that another worker is on its way if more wait.
//
// The line is not bounded here: it is as long as there are things to be served
// at the same time, each of which its caller has counted.
type Crew[T any] struct {
	serve func(T)
	ended sync.WaitGroup // workers

	mu      sync.Mutex // guards what follows
	line    []T
	head    int             // first in line
	parked  []chan struct{} // workers with nothing to do; the last has the warmest stack
	coming  bool            // a worker has been called and has not taken anything yet
	stopped bool
}

// maxParked is how many goroutines of a crew wait for what comes next.
const maxParked = 64

// NewCrew returns a crew without workers. They come when they are needed, and go
// with Stop.
func NewCrew[T any](serve func(T)) *Crew[T] { return &Crew[T]{serve: serve} }

// Serve has each of some served, in this order if one worker takes them all.
func (c *Crew[T]) Serve(some ...T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line)+len(some) > cap(c.line) && c.head >= len(c.line)/2 {
		// A line that is never empty must not grow by those who have left it.
		c.line, c.head = slices.Delete(c.line, 0, c.head), 0
	}
	c.line = append(c.line, some...)
	c.callLocked()
}

// callLocked calls a worker if one is needed.
func (c *Crew[T]) callLocked() {
	if c.coming || c.head == len(c.line) {
		return
	}
	c.coming = true
	if last := len(c.parked) - 1; last >= 0 {
		c.parked[last] <- struct{}{} // has room: it is called once
		c.parked = c.parked[:last]
		return
	}
	c.ended.Go(c.work)
}

func (c *Crew[T]) work() {
	call := make(chan struct{}, 1)
	for came := true; ; came = false {
		x, ok := c.next(call, came)
		if !ok {
			return
		}
		c.serve(x)
	}
}

// next takes the first in line, and waits for it if need be. It is false for a
// worker that is not needed any more. came is true for one that has been called.
func (c *Crew[T]) next(call chan struct{}, came bool) (x T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if came {
			c.coming = false
		}
		if c.head < len(c.line) {
			x = c.takeLocked()
			c.callLocked()
			return x, true
		}
		if c.stopped || len(c.parked) == maxParked {
			return x, false
		}
		c.parked = append(c.parked, call)
		c.mu.Unlock()
		_, came = <-call
		c.mu.Lock()
	}
}

// takeLocked takes the first in line, which is not empty.
func (c *Crew[T]) takeLocked() T {
	var gone T
	x := c.line[c.head]
	c.line[c.head] = gone // does not keep it alive
	if c.head++; c.head == len(c.line) {
		c.line, c.head = c.line[:0], 0
	}
	return x
}

// Stop has the workers go when the line is empty, and waits for them. What is
// given to Serve afterwards is served, too, but not waited for.
func (c *Crew[T]) Stop() {
	c.mu.Lock()
	c.stopped = true
	for _, call := range c.parked {
		close(call)
	}
	c.parked = nil
	c.mu.Unlock()
	c.ended.Wait()
}
