package transport

import (
	"math/rand"
	"testing"
)

// Against a plain map: nobody is woken early or late, and who was removed is
// not woken.
func TestWheel(t *testing.T) {
	var w wheel
	rng := rand.New(rand.NewSource(1))
	sessions := make([]*Session, 200)
	due := map[*Session]int64{}
	for i := range sessions {
		sessions[i] = new(Session)
	}
	now := int64(0)
	for range 20_000 {
		s := sessions[rng.Intn(len(sessions))]
		switch rng.Intn(5) {
		case 0, 1:
			// up to three turns away; also now, and in the past
			at := now + rng.Int63n(3*wheelSlots*wheelTick) - 1000
			if rng.Intn(2) == 0 {
				at = now + rng.Int63n(500)
			}
			w.add(s, at)
			if old, ok := due[s]; !ok || at < old {
				due[s] = max(at, now)
			}
		case 2:
			w.remove(s)
			delete(due, s)
		default:
			now += rng.Int63n(200)
			if rng.Intn(1000) == 0 {
				now += 2 * wheelSlots * wheelTick // a long pause of the process
			}
			for _, s := range w.advance(now, nil) {
				at, ok := due[s]
				if !ok {
					t.Fatal("woken without having been added")
				}
				if at > now {
					t.Fatalf("woken at %d, due at %d", now, at)
				}
				delete(due, s)
			}
			for _, at := range due {
				if at+2*wheelTick < now {
					t.Fatalf("not woken at %d, due at %d", now, at)
				}
			}
		}
	}
	for _, s := range sessions {
		w.remove(s)
	}
	for i, s := range w.slots {
		if s != nil {
			t.Fatalf("slot %d is not empty", i)
		}
	}
}

func TestWheelKeepsTheEarlierTime(t *testing.T) {
	var w wheel
	s := new(Session)
	w.add(s, 1000)
	w.add(s, 5000)
	if got := w.advance(1000, nil); len(got) != 1 {
		t.Error("not woken at the earlier time")
	}
	if got := w.advance(6000, nil); len(got) != 0 {
		t.Error("woken twice")
	}
}
