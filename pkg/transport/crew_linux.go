//go:build linux && (amd64 || arm64)

package transport

import "sync"

// crew are the goroutines that serve the connections of a loop. Connections with
// something to read stand in line, and each worker takes one after the other, so
// that a burst wakes a few goroutines and not one for each connection, which
// would cost as much as the reading. Serving may block: whoever takes one from
// the line sees to it that another worker is on its way if more wait.
type crew struct {
	ended sync.WaitGroup // workers

	mu      sync.Mutex // guards what follows
	line    []*polled
	head    int             // first in line
	parked  []chan struct{} // workers with nothing to do; the last has the warmest stack
	coming  bool            // a worker has been called and has not taken anything yet
	stopped bool
}

// maxParked is how many goroutines of a crew wait for the next connection.
const maxParked = 64

// serve has the connections served. None of them is in line already.
func (c *crew) serve(some ...*polled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = append(c.line, some...)
	c.callLocked()
}

// callLocked calls a worker if one is needed.
func (c *crew) callLocked() {
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

func (c *crew) work() {
	call := make(chan struct{}, 1)
	for came := true; ; came = false {
		x := c.next(call, came)
		if x == nil {
			return
		}
		x.serve()
	}
}

// next takes the first in line, and waits for it if need be. It is nil for a
// worker that is not needed any more. came is true for one that has been called.
func (c *crew) next(call chan struct{}, came bool) *polled {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if came {
			c.coming = false
		}
		if c.head < len(c.line) {
			x := c.line[c.head]
			c.line[c.head] = nil
			if c.head++; c.head == len(c.line) {
				c.line, c.head = c.line[:0], 0
			}
			c.callLocked()
			return x
		}
		if c.stopped || len(c.parked) == maxParked {
			return nil
		}
		c.parked = append(c.parked, call)
		c.mu.Unlock()
		_, came = <-call
		c.mu.Lock()
	}
}

// stop ends the workers and waits for them. All connections have ended.
func (c *crew) stop() {
	c.mu.Lock()
	c.stopped = true
	for _, call := range c.parked {
		close(call)
	}
	c.parked = nil
	c.mu.Unlock()
	c.ended.Wait()
}
