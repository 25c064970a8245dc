package gateway

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/id"
)

type slotLog struct {
	mu    sync.Mutex
	slots []uint32
	at    []time.Duration
	start time.Time
}

func (l *slotLog) deliver(_ context.Context, _ *push, slot, _ uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots = append(l.slots, slot)
	l.at = append(l.at, time.Since(l.start))
	return nil
}

func TestAPushIsSpreadOverItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slotLog{start: time.Now()}
		s := newSpreader(l.deliver)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.run(ctx) }()
		if !s.add(&push{within: time.Second, arrived: time.Now()}) {
			t.Fatal("no room")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		cancel()
		<-ended
		if len(l.slots) != 20 {
			t.Fatalf("%d slots", len(l.slots))
		}
		for i := range l.slots {
			if l.slots[i] != uint32(i) || l.at[i] != time.Duration(i)*50*time.Millisecond {
				t.Errorf("slot %d is delivered as number %d after %v", l.slots[i], i, l.at[i])
			}
		}
	})
}

func TestWhatIsSpreadIsBoundedAndFlushed(t *testing.T) {
	l := &slotLog{start: time.Now()}
	s := newSpreader(l.deliver)
	added := 0
	for s.add(&push{within: 10 * time.Minute, arrived: time.Now()}) {
		added++
	}
	if added != maxSpread/maxSlots {
		t.Errorf("took %d pushes", added)
	}
	if err := s.flush(t.Context()); err != nil || len(l.slots) != maxSpread {
		t.Errorf("flushed %d slots, %v", len(l.slots), err)
	}
}

func TestEverySocketHasOneSlot(t *testing.T) {
	counts := make([]int, 20)
	for i := range 20_000 {
		counts[slotOf(id.Socket(i)<<10, 20)]++
	}
	for slot, n := range counts {
		if n < 700 || n > 1300 {
			t.Errorf("slot %d has %d of 20,000 sockets", slot, n)
		}
	}
}
