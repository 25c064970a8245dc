package gateway

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/pkg/bus"
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

// A client that disconnects while Kafka is away is not forgotten: its event is
// said later, and nobody comes back under its id before that.
func TestADisconnectThatKafkaDoesNotTakeIsSaidLater(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	away := func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.upErr = err
	}
	w.mu.Lock()
	before := len(w.up)
	w.mu.Unlock()
	away(errAway)
	p.send("41")
	eventually(t, "the event is owed", func() bool { return w.gateway.leaver.pending() == 1 })
	eventually(t, "the session is closed", func() bool { return w.gateway.transport.Len() == 0 })
	away(nil)
	eventually(t, "nothing is owed", func() bool { return w.gateway.leaver.pending() == 0 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.up) != before+1 || w.up[before].Headers.Event != bus.EventDisconnect || len(w.index) != 0 {
		t.Errorf("%d events, %d in the index", len(w.up)-before, len(w.index))
	}
}

func TestAConnectThatKafkaDoesNotTakeIsCounted(t *testing.T) {
	w := newWorld(t, nil)
	w.mu.Lock()
	w.upErr = errAway
	w.mu.Unlock()
	w.dial(`{"token":"ann"}`)
	eventually(t, "it is counted", func() bool {
		var failed dto.Metric
		return w.gateway.m.upFailed.Write(&failed) == nil && failed.GetCounter().GetValue() == 1
	})
	w.mu.Lock()
	w.upErr = nil
	w.mu.Unlock()
}

// After a storm nothing of its queue is left, and it was taken in order.
func TestTheQueueOfThoseWhoLeaveIsGivenBack(t *testing.T) {
	l := newLeaver(&Gateway{m: NewMetrics(prometheus.NewRegistry()), cfg: DefaultConfig()})
	for n := range 100 * leaveBatch {
		l.put(departure{client: session.Client{Socket: id.Socket(n)}})
	}
	next := id.Socket(0)
	for {
		batch := l.take()
		if len(batch) == 0 {
			break
		}
		for _, d := range batch {
			if d.client.Socket != next {
				t.Fatalf("socket %d is next, want %d", d.client.Socket, next)
			}
			next++
		}
		l.finished(len(batch))
	}
	if next != 100*leaveBatch || l.pending() != 0 || cap(l.queue) != 0 {
		t.Errorf("%d were taken, %d are left, with room for %d more", next, l.pending(), cap(l.queue))
	}
}

func TestWhatIsOwedIsBounded(t *testing.T) {
	const most = 3
	for n, want := range map[int]int{most: most, most + 1: most, 100 * most: most} {
		m := NewMetrics(prometheus.NewRegistry())
		l := newLeaver(&Gateway{m: m, cfg: Config{MaxOwed: most}})
		l.put(departure{})
		l.put(make([]departure, n-1)...)
		var dropped dto.Metric
		if err := m.dropped.WithLabelValues(string(dropOwed)).Write(&dropped); err != nil {
			t.Fatal(err)
		}
		if l.pending() != want || int(dropped.GetCounter().GetValue()) != n-want {
			t.Errorf("of %d %d are owed, %v were dropped", n, l.pending(), dropped.GetCounter().GetValue())
		}
	}
}
