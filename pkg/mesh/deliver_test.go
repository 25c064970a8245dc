package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// inbox is a handler's Deliver that keeps what it gets.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (b *inbox) take(body []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, string(body))
	return true
}

func (b *inbox) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func (c *Client) count(f fate) int { return int(value(c.m.deliveries[f])) }

func TestDeliveriesArriveInOrder(t *testing.T) {
	cfg := testConfig()
	cfg.DeliverWithin = 0
	var b inbox
	p := start(t, cfg, 1, "boot", "", &fake{deliver: b.take})
	c := dial(t, cfg, newBook(p.Member))
	const n = 3000
	for i := range n {
		if err := c.Deliver(1, binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all deliveries", func() bool { return len(b.all()) == n })
	if !slices.IsSorted(b.all()) {
		t.Error("out of order")
	}
	eventually(t, "the count of what was sent", func() bool { return c.count(fateSent) == n })
	if got := value(p.m.received.WithLabelValues("taken")); got != n {
		t.Errorf("callee counted %v taken", got)
	}
	if got := value(c.m.queued); got != 0 {
		t.Errorf("queue_bytes = %v when all is sent", got)
	}
}

func TestAFullQueueRefusesTheNewest(t *testing.T) {
	for name, bound := range map[string]func(*Config){
		"messages": func(c *Config) { c.QueueMessages = 3 },
		"bytes":    func(c *Config) { c.QueueBytes = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.DeliverWithin = 0
			bound(&cfg)
			m := NewMetrics(prometheus.NewRegistry())
			q := newQueue(context.Background(), Member{}, &cfg, m) // nobody empties it
			now := time.Now()
			for i := range 3 {
				if err := q.push([]byte{byte(i)}, now); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.push([]byte{9}, now); err != ErrBusy {
				t.Errorf("fourth push: %v", err)
			}
			for i := range 3 {
				if it, ok := q.next(now); !ok || it.body[0] != byte(i) {
					t.Errorf("item %d = %v, %v", i, it, ok)
				}
			}
			if _, ok := q.next(now); ok {
				t.Error("a fourth item")
			}
			if err := q.push([]byte{10}, now); err != nil {
				t.Errorf("push when there is room again: %v", err)
			}
			if got := value(m.deliveries[fateBusy]); got != 1 {
				t.Errorf("%v counted as busy", got)
			}
		})
	}
}

func TestOldDeliveriesMakeRoom(t *testing.T) {
	cfg := testConfig()
	cfg.QueueMessages = 2
	m := NewMetrics(prometheus.NewRegistry())
	q := newQueue(context.Background(), Member{}, &cfg, m)
	begin := time.Now()
	for _, at := range []time.Duration{0, 200 * time.Millisecond, 251 * time.Millisecond} {
		if err := q.push([]byte(at.String()), begin.Add(at)); err != nil {
			t.Fatalf("push at %v: %v", at, err)
		}
	}
	it, ok := q.next(begin.Add(300 * time.Millisecond))
	if !ok || string(it.body) != "200ms" {
		t.Errorf("next = %q, %v", it.body, ok)
	}
	if _, ok := q.next(begin.Add(time.Second)); ok {
		t.Error("a late item was handed out")
	}
	if got := value(m.deliveries[fateLate]); got != 2 {
		t.Errorf("%v counted as late", got)
	}
}

func TestQueueKeepsOrderWhileItMovesItsItems(t *testing.T) {
	cfg := testConfig()
	q := newQueue(context.Background(), Member{}, &cfg, NewMetrics(prometheus.NewRegistry()))
	now := time.Now()
	in, out := 0, 0
	for round := range 200 {
		for range 1 + round%7 {
			if err := q.push(binary.BigEndian.AppendUint32(nil, uint32(in)), now); err != nil {
				t.Fatal(err)
			}
			in++
		}
		for range 1 + round%6 {
			if it, ok := q.next(now); ok {
				if got := int(binary.BigEndian.Uint32(it.body)); got != out {
					t.Fatalf("item %d where %d was due", got, out)
				}
				out++
			}
		}
	}
	if len(q.items)-q.head != in-out || q.bytes != 4*(in-out) {
		t.Errorf("%d items and %d bytes left, want %d items", len(q.items)-q.head, q.bytes, in-out)
	}
}

func TestWhatWaitsForADeadBootNeverReachesItsSuccessor(t *testing.T) {
	cfg := testConfig()
	cfg.DeliverWithin = 0
	var b inbox
	dead := Member{Replica: 1, Boot: "boot-a", Address: "127.0.0.1:1"}
	dir := newBook(dead)
	c := dial(t, cfg, dir)
	for i := range 5 {
		if err := c.Deliver(1, fmt.Append(nil, "old", i)); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, cfg, 1, "boot-b", "", &fake{deliver: b.take})
	dir.put(p.Member)
	if err := c.Deliver(1, []byte("new")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new one", func() bool { return len(b.all()) > 0 })
	eventually(t, "the old ones to be counted", func() bool { return c.count(fateStale) == 5 })
	if got := b.all(); len(got) != 1 || got[0] != "new" {
		t.Errorf("successor got %q", got)
	}
}

func TestTheQueueToALivingPredecessorEnds(t *testing.T) {
	cfg := testConfig()
	var old, successor inbox
	a := start(t, cfg, 1, "boot-a", "", &fake{deliver: old.take})
	b := start(t, cfg, 1, "boot-b", "", &fake{deliver: successor.take})
	for name, change := range map[string]func(*book, *Client){
		"replaced": func(dir *book, c *Client) { dir.put(b.Member); _ = c.Deliver(1, []byte("new")) },
		"swept":    func(dir *book, c *Client) { dir.remove(1); c.sweep(time.Now()) },
	} {
		dir := newBook(a.Member)
		c := dial(t, cfg, dir)
		n := len(old.all())
		eventually(t, "a delivery", func() bool { _ = c.Deliver(1, []byte("old")); return len(old.all()) > n })
		c.mu.Lock()
		q := c.queues[1]
		c.mu.Unlock()
		change(dir, c)
		select {
		case <-q.open.Done():
		case <-time.After(patience):
			t.Errorf("%s: the old queue is still open", name)
		}
	}
}

func TestABootThatTheDirectoryMissedIsRefused(t *testing.T) {
	cfg := testConfig()
	var b inbox
	p := start(t, cfg, 1, "boot-b", "", &fake{deliver: b.take})
	dir := newBook(Member{Replica: 1, Boot: "boot-a", Address: p.Address})
	c := dial(t, cfg, dir)
	eventually(t, "the refusal", func() bool { return errors.Is(c.Deliver(1, []byte("old")), ErrUnknown) })
	if err := c.Deliver(1, []byte("old")); !errors.Is(err, ErrUnknown) {
		t.Errorf("and then: %v", err)
	}
	dir.put(p.Member)
	eventually(t, "the successor to be used", func() bool {
		if err := c.Deliver(1, []byte("new")); err != nil {
			t.Fatal(err)
		}
		return len(b.all()) > 0
	})
	if slices.Contains(b.all(), "old") {
		t.Error("the successor got what was meant for its predecessor")
	}
}

func TestDeliveriesResumeWhenTheSameBootIsReachableAgain(t *testing.T) {
	cfg := testConfig()
	var b inbox
	p := start(t, cfg, 1, "boot", "", &fake{deliver: b.take})
	c := dial(t, cfg, newBook(p.Member))
	eventually(t, "the first", func() bool { _ = c.Deliver(1, []byte("before")); return len(b.all()) > 0 })
	p.kill()
	var after inbox
	start(t, cfg, 1, "boot", p.Address, &fake{deliver: after.take})
	eventually(t, "deliveries to resume", func() bool { _ = c.Deliver(1, []byte("after")); return len(after.all()) > 0 })
}

func TestAnIdleQueueEndsItsSender(t *testing.T) {
	cfg := testConfig()
	cfg.IdleAfter, cfg.DeliverWithin = 30*time.Millisecond, patience
	var b inbox
	p := start(t, cfg, 1, "boot", "", &fake{deliver: b.take})
	c := dial(t, cfg, newBook(p.Member))
	for round := range 3 {
		if err := c.Deliver(1, []byte("x")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the delivery", func() bool { return len(b.all()) == round+1 })
		eventually(t, "the queue to retire and the connection to close", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.queues) == 0 && len(c.links) == 0
		})
	}
}

func TestAReplicaThatLeftTheDirectoryIsForgotten(t *testing.T) {
	cfg := testConfig()
	cfg.IdleAfter = 40 * time.Millisecond
	dir := newBook(Member{Replica: 1, Boot: "boot", Address: "127.0.0.1:1"})
	c := dial(t, cfg, dir)
	if err := c.Deliver(1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	dir.remove(1)
	if err := c.Deliver(1, []byte("x")); !errors.Is(err, ErrUnknown) {
		t.Errorf("Deliver: %v", err)
	}
	eventually(t, "its queue to go", func() bool {
		c.mu.RLock()
		defer c.mu.RUnlock()
		return len(c.queues) == 0
	})
	if n := c.count(fateStale) + c.count(fateLate); n != 1 {
		t.Errorf("%d counted as dropped", n)
	}
}

func TestADeliveryThatCannotFitIsRefused(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot", "", &fake{deliver: func([]byte) bool { return true }})
	c := dial(t, cfg, newBook(p.Member))
	if err := c.Deliver(1, make([]byte, cfg.MaxMessageBytes)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Deliver: %v", err)
	}
}

func TestTheServerEndsIdleDeliveryStreams(t *testing.T) {
	cfg := testConfig()
	var b inbox
	p := start(t, cfg, 1, "boot", "", &fake{deliver: b.take})
	c := dial(t, cfg, newBook(p.Member))
	eventually(t, "a delivery", func() bool { _ = c.Deliver(1, []byte("x")); return len(b.all()) > 0 })
	p.stop()
	select {
	case <-p.ran:
		p.ran <- nil
	case <-time.After(patience):
		t.Fatal("Run waits for a stream that nobody ends")
	}
}
