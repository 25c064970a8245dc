package gateway

import (
	"testing"
	"time"
)

func TestAWatchGivesWhoseTimeIsOverInTheirOrder(t *testing.T) {
	w := newLateWatch(time.Minute)
	conns := make([]Connection, 4*keepWatched)
	for i := range conns {
		w.watch(ref{conn: &conns[i]}, nil)
	}
	if due := w.due(time.Minute-time.Second, nil); len(due) != 0 {
		t.Errorf("%d are late a second before the time", len(due))
	}
	half := w.queue[len(conns)/2-1].until
	due := w.due(half, nil)
	for ; len(due) < len(conns); due = append(due, w.due(time.Hour, nil)...) {
		if due[len(due)-1].until > half {
			t.Fatal("who is not late yet is among them")
		}
	}
	for i, x := range due {
		if x.ref.conn != &conns[i] {
			t.Fatalf("number %d is another one", i)
		}
	}
	if len(w.queue) != 0 || cap(w.queue) > keepWatched {
		t.Errorf("%d of %d are left in the queue", len(w.queue), cap(w.queue))
	}
}

func TestAWatchThatGoesOnAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	w := newLateWatch(0)
	var into []watched
	if n := testing.AllocsPerRun(100, func() {
		for range 10 {
			w.watch(ref{}, nil)
		}
		into = w.due(time.Hour, into[:0])
	}); n > 0 || len(into) != 10 {
		t.Errorf("%v allocations, %d late", n, len(into))
	}
}
