package gateway

import (
	"slices"
	"testing"

	"sluice/pkg/id"
	"sluice/pkg/session"
)

// Those of a batch whose Disconnect event Kafka has go in one call; the others
// stay owed, and in the index, so that the event is never missing.
func TestSocketsThatLeaveTogetherAreRemovedTogether(t *testing.T) {
	for name, n := range map[string]int{"one": 1, "a batch": leaveBatch, "one more": leaveBatch + 1, "many": 100 * leaveBatch} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var gone []departure
			for k := range n {
				c := session.Client{Socket: id.Socket(k + 1), User: "u"}
				w.index[c.Socket] = c
				gone = append(gone, departure{client: c, spaces: []string{mainSpace}, reason: "test"})
			}
			w.gateway.leaver.put(gone...)
			eventually(t, "nobody is left", func() bool { return w.gateway.leaver.pending() == 0 })
			w.mu.Lock()
			defer w.mu.Unlock()
			calls := len(w.removed)
			if len(w.index) != 0 || len(w.up) != n || slices.Max(w.removed) > leaveBatch || calls > n/leaveBatch+leaveWorkers {
				t.Errorf("%d in the index, %d events, %d calls of at most %d", len(w.index), len(w.up), calls, slices.Max(w.removed))
			}
		})
	}
}

func TestWhatKafkaDoesNotTakeStaysInTheIndex(t *testing.T) {
	w := newWorld(t, nil)
	c := session.Client{Socket: 1, User: "u"}
	w.mu.Lock()
	w.index[c.Socket] = c
	w.upErr = errAway
	w.mu.Unlock()
	owed := w.gateway.leaver.settle([]departure{{client: c, spaces: []string{mainSpace}, reason: "test"}})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(owed) != 1 || len(w.index) != 1 || len(w.removed) != 0 {
		t.Errorf("%d owed, %d in the index, removed %v", len(owed), len(w.index), w.removed)
	}
}
