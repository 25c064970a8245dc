package stream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotomicro/ego-component/eredis"

	"sluice/pkg/redistest"
)

// follower of a test: what Run handed out.
type heard struct {
	mu      sync.Mutex
	entries []Entry
	gaps    []Entry
	at      []time.Time
	end     func()
}

// follow runs the stream for the rest of the test and returns when it is live.
func follow(t testing.TB, s *Stream) *heard {
	t.Helper()
	h := &heard{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, h.take) }()
	h.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(h.end)
	eventually(t, "the stream is live", s.Live)
	return h
}

func (h *heard) take(e Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Gap != nil {
		h.gaps = append(h.gaps, e)
		return
	}
	h.entries = append(h.entries, e)
	h.at = append(h.at, time.Now())
}

func (h *heard) all() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Entry(nil), h.entries...)
}

func (h *heard) holes() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Entry(nil), h.gaps...)
}

func (h *heard) wait(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages arrive", n), func() bool { return len(h.all()) >= n })
}

// check fails unless each shard's sequence rises by one and nothing came twice.
func (h *heard) check(t testing.TB) {
	t.Helper()
	last := make(map[int]uint64)
	seen := make(map[string]bool)
	for _, e := range h.all() {
		if before := last[e.Shard]; before != 0 && e.Seq != before+1 {
			t.Errorf("shard %d: sequence %d after %d", e.Shard, e.Seq, before)
		}
		last[e.Shard] = e.Seq
		key := e.Target.String() + e.Mid.String()
		if seen[key] {
			t.Errorf("%s came twice", key)
		}
		seen[key] = true
	}
	for _, g := range h.holes() {
		t.Errorf("gap: %+v", *g.Gap)
	}
}

func TestRunStartsNowAndGoesOnWhereItEnded(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s, writer := p.stream(), p.stream()
		put(t, writer, doc("a"), mid(1), "before")
		first := follow(t, s)
		e := put(t, writer, doc("a"), mid(2), "live")
		first.wait(t, 1)
		first.end()
		if got := first.all(); got[0].Mid != mid(2) || string(got[0].Body) != "live" {
			t.Fatalf("received %+v", got)
		}
		if at := s.Positions()[e.Shard]; at != (Position{e.Epoch, e.Seq}) {
			t.Fatalf("position %+v, want %+v", at, e)
		}
		put(t, writer, doc("a"), mid(3), "between")
		second := follow(t, s)
		second.wait(t, 1)
		if got := second.all(); got[0].Mid != mid(3) || string(got[0].Body) != "between" {
			t.Fatalf("received %+v", got)
		}
		second.check(t)
	})
}

func TestLostBroadcastAtTheTailIsNoticed(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		// With the settings that are promised.
		asDefault := func(c *Config) { d := DefaultConfig(); c.AnnounceEvery, c.Grace = d.AnnounceEvery, d.Grace }
		s, lossy := p.stream(asDefault), p.muted()
		got := follow(t, s)
		put(t, p.stream(), doc("a"), mid(1), "heard")
		got.wait(t, 1)
		start := time.Now()
		put(t, lossy, doc("a"), mid(2), "lost")
		got.wait(t, 2)
		if took := time.Since(start); took > patience/4 {
			t.Errorf("noticed after %v", took)
		}
		if e := got.all()[1]; e.Mid != mid(2) || string(e.Body) != "lost" || e.Target != doc("a") || e.Epoch == 0 {
			t.Errorf("filled with %+v", e)
		}
		got.check(t)
	})
}

func TestLostBroadcastInTheMiddleIsFilledInOrder(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		slow := func(c *Config) { c.AnnounceEvery = time.Minute } // only the sequence can tell
		s, writer, lossy := p.stream(slow), p.stream(), p.muted()
		got := follow(t, s)
		n := 0
		for range 3 {
			for range 2*fillPage + 3 {
				n++
				put(t, lossy, doc(fmt.Sprint(n%3)), mid(n), fmt.Sprint(n))
			}
			for i := range 3 { // each shard is heard of
				n++
				put(t, writer, doc(fmt.Sprint(i)), mid(n), fmt.Sprint(n))
			}
		}
		got.wait(t, n)
		got.check(t)
		for _, e := range got.all() {
			if want := fmt.Sprint(int(e.Mid - mid(0))); string(e.Body) != want {
				t.Errorf("message %s has the body %q", want, e.Body)
			}
		}
	})
}

func TestUnfillableGapIsToldBeforeAnythingLater(t *testing.T) {
	small := func(c *Config) { c.MaxEntries, c.Shards = 2, 1 }
	eachPlace(t, func(t *testing.T, p *place) {
		s, writer, lossy := p.stream(small), p.stream(small), p.muted(small)
		var order []string
		var mu sync.Mutex
		log := func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), order...) }
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Run(ctx, func(e Entry) {
				mu.Lock()
				defer mu.Unlock()
				if e.Gap != nil {
					order = append(order, fmt.Sprintf("gap %d %s %s", e.Gap.To-e.Gap.From+1, e.Gap.Target, e.Gap.Reason))
					return
				}
				order = append(order, string(e.Body))
			})
		}()
		defer func() { cancel(); <-done }()
		eventually(t, "the stream is live", s.Live)
		put(t, writer, doc("a"), mid(1), "1")
		for i := 2; i <= 5; i++ {
			put(t, lossy, doc("a"), mid(i), fmt.Sprint(i)) // the first two of these are cut off
		}
		put(t, writer, doc("b"), mid(6), "6")
		eventually(t, "the last message arrives", func() bool { l := log(); return len(l) > 0 && l[len(l)-1] == "6" })
		want := "[1 gap 1 d:a trimmed gap 1 d:a trimmed 4 5 6]"
		if got := fmt.Sprint(log()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestGapBeyondTheLogIsTold(t *testing.T) {
	// Only the sequence can tell, and the log is always cut off before.
	one := func(c *Config) { c.Shards, c.AnnounceEvery = 1, time.Minute }
	eachPlace(t, func(t *testing.T, p *place) {
		s, writer, lossy := p.stream(one), p.stream(one), p.muted(one)
		got := follow(t, s)
		first := put(t, writer, doc("a"), mid(1), "1")
		got.wait(t, 1)
		for i := 2; i <= 5; i++ {
			put(t, lossy, doc("a"), mid(i), "")
		}
		if err := p.Client().XTrimMaxLen(ctxT(t), s.shards[0].keys.log, 1).Err(); err != nil {
			t.Fatal(err)
		}
		put(t, writer, doc("a"), mid(6), "")
		got.wait(t, 3) // 1, 5 and 6
		put(t, lossy, doc("a"), mid(7), "")
		if err := p.Client().Del(ctxT(t), s.shards[0].keys.log).Err(); err != nil {
			t.Fatal(err)
		}
		put(t, writer, doc("a"), mid(8), "")
		got.wait(t, 4)
		want := []Gap{
			{From: first.Seq + 1, To: first.Seq + 3, Reason: GapTrimmed},
			{From: first.Seq + 6, To: first.Seq + 6, Reason: GapTrimmed},
		}
		holes := got.holes()
		if len(holes) != len(want) || *holes[0].Gap != want[0] || *holes[1].Gap != want[1] {
			t.Fatalf("gaps: %+v", holes)
		}
	})
}

func TestRunCatchesUpAfterTheConnectionWasCut(t *testing.T) {
	eachStub(t, func(t *testing.T, p *place) {
		line := redistest.NewProxy(t, p.Addr)
		s, writer := p.streamAt(redistest.Connect(t, line.Addr(), eredis.WithStub())), p.stream()
		got := follow(t, s)
		n := 0
		for range 3 {
			for range 20 {
				n++
				put(t, writer, doc(fmt.Sprint(n%5)), mid(n), "")
			}
			line.Cut()
			eventually(t, "the loss is seen", func() bool { return !s.Live() })
			for range 70 {
				n++
				put(t, writer, doc(fmt.Sprint(n%5)), mid(n), "")
			}
			line.Mend()
			eventually(t, "the stream is live", s.Live)
		}
		got.wait(t, n)
		got.check(t)
	})
}

func TestSilentSubscriptionIsReplaced(t *testing.T) {
	eachStub(t, func(t *testing.T, p *place) {
		line := redistest.NewProxy(t, p.Addr)
		brief := func(c *Config) { c.Timeout = 300 * time.Millisecond }
		s, writer := p.streamAt(redistest.Connect(t, line.Addr(), eredis.WithStub()), brief), p.stream()
		got := follow(t, s)
		put(t, writer, doc("a"), mid(1), "")
		got.wait(t, 1)
		line.Freeze("subscribe") // as a firewall does that forgot the connection
		put(t, writer, doc("a"), mid(2), "")
		got.wait(t, 2)
		eventually(t, "a new subscription", func() bool { return line.Opened("subscribe") >= 2 && s.Live() })
		put(t, writer, doc("a"), mid(3), "")
		got.wait(t, 3)
		got.check(t)
	})
}

func TestSlowHandlerLosesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		tight := func(c *Config) { c.Buffer, c.Timeout = 1, 200*time.Millisecond }
		s, writer := p.stream(tight), p.stream()
		got := &heard{}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Run(ctx, func(e Entry) {
				if e.Mid == mid(1) {
					time.Sleep(3 * s.cfg.Timeout)
				}
				got.take(e)
			})
		}()
		defer func() { cancel(); <-done }()
		eventually(t, "the stream is live", s.Live)
		for i := 1; i <= 50; i++ {
			put(t, writer, doc("a"), mid(i), "")
		}
		got.wait(t, 50)
		got.check(t)
	})
}

func TestRunWithoutRedisWaitsForIt(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	s := p.stream()
	p.Mini.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	got := &heard{}
	go func() { done <- s.Run(ctx, got.take) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if s.Live() {
		t.Fatal("live without Redis")
	}
	if err := p.Mini.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream is live", s.Live)
	put(t, p.stream(), doc("a"), mid(1), "")
	got.wait(t, 1)
}
