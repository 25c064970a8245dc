package epoll

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// take is what a channel has within patience.
func take[T any](t *testing.T, from <-chan T) (x T) {
	t.Helper()
	select {
	case x = <-from:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return x
}

// Whoever has left the line must not make it longer, even if it is never empty.
func TestALineThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	const waiting, rounds = 10, 100_000
	var served atomic.Int64
	c := NewCrew(func(int) { served.Add(1) })
	c.coming = true // nobody comes: the line is ours
	for range waiting {
		c.Serve(1)
	}
	for range rounds {
		c.Serve(1)
		c.mu.Lock()
		c.takeLocked()
		c.mu.Unlock()
	}
	if n := cap(c.line); n > 8*waiting {
		t.Errorf("%d wait in a line of %d", len(c.line)-c.head, n)
	}
	c.coming = false
	c.Serve()
	c.Stop()
	if n := served.Load(); n != waiting {
		t.Errorf("%d are served, want %d", n, waiting)
	}
}

// Those who can be served by one worker come in their order.
func TestTheFirstInLineComesFirst(t *testing.T) {
	c := NewCrew(func(int) {})
	c.coming = true // nobody comes: the line is ours
	c.Serve(1, 2)
	c.Serve(3)
	for want := 1; want <= 3; want++ {
		if x := c.takeLocked(); x != want {
			t.Errorf("%d comes as number %d", x, want)
		}
	}
}

// Who holds up a worker holds up nobody else.
func TestServingMayBlock(t *testing.T) {
	const all = 300
	free, in := make(chan struct{}), make(chan int, all)
	c := NewCrew(func(i int) { in <- i; <-free })
	for i := range all / 3 {
		c.Serve(i, i, i)
	}
	for range all {
		take(t, in)
	}
	close(free)
	c.Stop()
}

// A burst of what is served at once wakes few.
func TestABurstWakesFew(t *testing.T) {
	const burst = 1000
	done := make(chan struct{}, burst)
	c := NewCrew(func(struct{}) { done <- struct{}{} })
	before := runtime.NumGoroutine()
	c.Serve(make([]struct{}, burst)...)
	for range burst {
		take(t, done)
	}
	if n := runtime.NumGoroutine() - before; n > maxParked {
		t.Errorf("%d goroutines are kept", n)
	}
	c.Stop()
}

// Stop leaves nobody in line, and returns when the last has been served.
func TestStopServesTheLine(t *testing.T) {
	for range 200 {
		var served atomic.Int64
		c := NewCrew(func(int) { runtime.Gosched(); served.Add(1) })
		c.Serve(1, 2, 3)
		c.Serve(4)
		c.Stop()
		if n := served.Load(); n != 4 {
			t.Fatalf("%d are served when it has stopped, want 4", n)
		}
	}
}

func TestServingDoesNotAllocate(t *testing.T) {
	done := make(chan struct{}, 1)
	c := NewCrew(func(*int) { done <- struct{}{} })
	defer c.Stop()
	x := new(int)
	if n := testing.AllocsPerRun(1000, func() { c.Serve(x); <-done }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
