package engineio

import "testing"

// Ticks that come late by up to the slack neither move the pings nor the end.
func TestLatenessDoesNotAddUp(t *testing.T) {
	p := &Policy{Interval: 300, Timeout: 200, Slack: 50}
	var h Heartbeat
	h.Begin(p, V4, false, 0)
	for i := int64(1); i <= 3; i++ {
		if b, _ := h.Tick(p, V4, i*300+40, i*300-100); b != SendPing {
			t.Fatalf("no ping at %d", i*300+40)
		}
		h.Tick(p, V4, i*300+45, i*300+45) // answered
	}
	if b, _ := h.Tick(p, V4, 1240, 950); b != SendPing {
		t.Fatal("no ping at 1240")
	}
	if b, _ := h.Tick(p, V4, 1400, 950); b != Dead {
		t.Error("not dead at 1400")
	}
	// Beyond the slack the client gets its time from when the ping left.
	h.Begin(p, V4, false, 0)
	if _, next := h.Tick(p, V4, 1000, 0); next != 950+200 {
		t.Errorf("a ping that left at 1000 may be answered until %d", next)
	}
}

func TestOverdueDoesNotWaitForTheTick(t *testing.T) {
	p := &Policy{Interval: 300, Timeout: 200, Slack: 50}
	check := func(what string, h Heartbeat, v Version, seen, last int64) {
		t.Helper()
		if h.Overdue(p, v, last, seen) || !h.Overdue(p, v, last+1, seen) {
			t.Errorf("%s: not overdue exactly after %d", what, last)
		}
	}
	var h Heartbeat
	h.Begin(p, V3, false, 0)
	check("generation 3", h, V3, 70, 569)
	h.Begin(p, V4, false, 0)
	check("before the first tick", h, V4, 0, 499)
	h.Tick(p, V4, 330, 0)
	check("pinged", h, V4, 0, 499)
	check("pinged and answered", h, V4, 340, 799)
}
