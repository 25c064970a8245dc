package transport

import "testing"

// fill sends until so many bytes wait for the client.
func (c *client) fill(bytes int) {
	c.w.t.Helper()
	f := NewFrame(repeat("x", 4000))
	for c.s.Pending() < bytes {
		if err := c.s.Send(f); err != nil {
			c.w.t.Fatalf("with %d bytes waiting, %d in all: %v", c.s.Pending(), c.w.v.metrics.backlog(), err)
		}
	}
}

// While too much waits in all, who is far behind is closed with the next frame,
// who is little behind goes on, and so does everybody once there is room again.
func TestTheBacklogsAreBoundedTogether(t *testing.T) {
	const each, total = 160_000, 320_000
	w := newWorld(t, config(small), config(func(c *Config) { c.BacklogBytes, c.BacklogTotal = each, total }))
	var far []*client
	for range 4 {
		_, c := w.dialSlow()
		far = append(far, c)
	}
	_, little := w.dialSlow()
	p, well := w.websocket(4)
	f := NewFrame([]byte("hello"))

	little.fill(1)
	for _, c := range far[:3] {
		c.fill(each / 2)
	}
	some := NewFrame(repeat("x", 1000))
	for slow := false; !slow; {
		// The kernel may take some more at any time, so all this is tried at the
		// bound again and again. It ends: far[3] has a bound of its own.
		for w.v.metrics.backlog() < total {
			if err := far[3].s.Send(some); err != nil {
				t.Fatalf("below the bound: %v", err)
			}
		}
		if err := little.s.Send(f); err != nil {
			t.Fatalf("who is little behind: %v", err)
		}
		if err := well.s.Send(f); err != nil {
			t.Fatalf("who is not behind: %v", err)
		}
		p.wants("4hello")
		err := far[0].s.Send(f)
		if err != nil && err != ErrSlow {
			t.Fatalf("who is far behind: %v", err)
		}
		slow = err == ErrSlow
	}
	far[0].wantsClosed(ReasonSlow)
	if err := far[1].s.Send(f); err != nil {
		t.Errorf("who is far behind, with room again: %v", err)
	}
}

func TestAPollingBacklogCountsToo(t *testing.T) {
	const each, total = 160_000, 160_000
	w := newWorld(t, config(func(c *Config) { c.BacklogBytes, c.BacklogTotal = each, total }))
	_, one := w.poll(4)
	_, two := w.poll(4)
	two.fill(each / 2)
	one.fill(each/2 - 8000)
	for one.s.Pending()+two.s.Pending() < total {
		if err := one.s.Send(NewFrame([]byte("hello"))); err != nil {
			t.Fatalf("below the bound: %v", err)
		}
	}
	if err := two.s.Send(NewFrame([]byte("hello"))); err != ErrSlow {
		t.Errorf("%v", err)
	}
	two.wantsClosed(ReasonSlow)
}

// A client that is only a little behind is not closed for the sum alone, but the
// sum is bounded all the same, whatever the number of clients.
func TestManyWhoAreLittleBehindAreBoundedTogether(t *testing.T) {
	const each, total, frame = 80_000, 80_000, 500
	w := newWorld(t, config(func(c *Config) { c.BacklogBytes, c.BacklogTotal = each, total }))
	f := NewFrame(repeat("x", frame))
	clients, slow := 0, 0
	for ; clients < 100; clients++ { // with ten times as much as may wait
		_, c := w.poll(4)
		for c.s.Pending() < each/10 {
			if err := c.s.Send(f); err == ErrSlow {
				slow++
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	// Each has one that is leaving, and may have had one more when the bound was reached.
	if got, most := w.v.metrics.backlog(), int64(2*total+clients*2*(frame+frameOverhead)); got < total || got > most {
		t.Errorf("%d bytes wait, which may be at most %d", got, most)
	}
	if slow == 0 {
		t.Error("nobody was closed")
	}
	_, well := w.poll(4)
	if err := well.s.Send(f); err != nil {
		t.Errorf("who is not behind: %v", err)
	}
}
