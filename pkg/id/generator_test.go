package id

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a clock that stands until it is set.
type clock struct{ millis atomic.Int64 }

func newClock(millis int64) *clock {
	c := &clock{}
	c.millis.Store(millis)
	return c
}

func (c *clock) now() time.Time { return Time(c.millis.Load()) }

func mustSocket(t *testing.T, g *Generator) Socket {
	t.Helper()
	s, err := g.Socket()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFollowsTheClock(t *testing.T) {
	c := newClock(5000)
	g := NewGenerator(7, Window{After: 100, Until: 10_000}, c.now)
	if g.Last() != 100 {
		t.Errorf("Last before the first id = %d, want After", g.Last())
	}
	for _, at := range []int64{5000, 5001, 9999, 10_000} {
		c.millis.Store(at)
		s := mustSocket(t, g)
		if s.Millis() != at || s.Replica() != 7 || g.Last() != at {
			t.Errorf("at %d: id of %d, replica %d, Last %d", at, s.Millis(), s.Replica(), g.Last())
		}
	}
}

func TestSocketsAndMessagesShareOneSequence(t *testing.T) {
	g := NewGenerator(1, Window{Until: 1000}, newClock(10).now)
	s := mustSocket(t, g)
	m, err := g.Message()
	if err != nil || uint64(m) != uint64(s)+1 {
		t.Errorf("socket %d, message %d, %v", s, m, err)
	}
}

func TestClockGoingBackContinuesOnTheLastMillisecond(t *testing.T) {
	c := newClock(3_600_500)
	g := NewGenerator(1, Window{Until: 10_000_000}, c.now)
	before := mustSocket(t, g)
	c.millis.Store(500) // an hour back
	after := mustSocket(t, g)
	if after != before+1 {
		t.Errorf("%d after %d", after, before)
	}
	c.millis.Store(-5) // before the epoch
	if next := mustSocket(t, g); next != after+1 {
		t.Errorf("%d after %d", next, after)
	}
}

func TestLeaseInTheFutureMintsFromItsBeginning(t *testing.T) {
	g := NewGenerator(1, Window{After: 9000, Until: 9002}, newClock(10).now)
	first := mustSocket(t, g)
	if first.Millis() != 9001 || first&maxSeq != 0 {
		t.Errorf("first id of %d, sequence %d", first.Millis(), first&maxSeq)
	}
}

func TestSequenceOverflowBorrowsTheNextMillisecondAndStopsAtUntil(t *testing.T) {
	g := NewGenerator(1, Window{After: 0, Until: 12}, newClock(10).now)
	seen := map[Socket]bool{}
	for i := range 3 * 1024 { // milliseconds 10, 11 and 12
		s := mustSocket(t, g)
		if want := 10 + int64(i/1024); s.Millis() != want {
			t.Fatalf("id %d is of %d, want %d", i, s.Millis(), want)
		}
		seen[s] = true
	}
	if len(seen) != 3*1024 {
		t.Errorf("%d distinct ids", len(seen))
	}
	for range 3 {
		if s, err := g.Socket(); !errors.Is(err, ErrLease) || s != 0 {
			t.Errorf("past Until: %d, %v", s, err)
		}
	}
	if g.Last() != 12 {
		t.Errorf("Last = %d after refusals", g.Last())
	}
	g.Extend(13)
	if s := mustSocket(t, g); s.Millis() != 13 {
		t.Errorf("after the extension: %d", s.Millis())
	}
}

func TestRefusesPastUntilAndGoesOnWhenExtended(t *testing.T) {
	c := newClock(99)
	g := NewGenerator(1, Window{After: 0, Until: 100}, c.now)
	mustSocket(t, g)
	c.millis.Store(101)
	if _, err := g.Message(); !errors.Is(err, ErrLease) {
		t.Errorf("err = %v", err)
	}
	g.Extend(50) // earlier: changes nothing
	if g.Until() != 100 {
		t.Errorf("Until = %d", g.Until())
	}
	g.Extend(200)
	if s := mustSocket(t, g); s.Millis() != 101 {
		t.Errorf("id of %d", s.Millis())
	}
}

func TestEmptyAndAbsurdWindowsRefuse(t *testing.T) {
	for name, w := range map[string]Window{
		"nothing":         {},
		"empty":           {After: 100, Until: 100},
		"reversed":        {After: 100, Until: 50},
		"negative":        {After: -100, Until: -50},
		"past the last":   {After: MaxMillis, Until: MaxMillis + 100},
		"far beyond":      {After: MaxMillis + 5, Until: 1<<63 - 1},
		"ended long ago":  {After: 1, Until: 5},
		"before id time":  {After: -10, Until: 0},
		"ends in the now": {After: 0, Until: 9},
	} {
		if s, err := NewGenerator(1, w, newClock(10).now).Socket(); !errors.Is(err, ErrLease) {
			t.Errorf("%s: %d, %v", name, s, err)
		}
	}
}

func TestLastMillisecondOfAllTime(t *testing.T) {
	g := NewGenerator(MaxReplica, Window{After: MaxMillis - 1, Until: MaxMillis}, newClock(0).now)
	var s Socket
	for range 1024 {
		s = mustSocket(t, g)
	}
	if s != 1<<63-1 {
		t.Errorf("last id = %x", uint64(s))
	}
	if _, err := g.Socket(); !errors.Is(err, ErrLease) {
		t.Errorf("err = %v", err)
	}
}

func TestClosedGeneratorNeverMintsAgain(t *testing.T) {
	c := newClock(10)
	g := NewGenerator(1, Window{Until: 1000}, c.now)
	mustSocket(t, g)
	if last := g.Close(); last != 10 {
		t.Errorf("Close = %d", last)
	}
	c.millis.Store(20)
	g.Extend(2000)
	if _, err := g.Socket(); !errors.Is(err, ErrLease) {
		t.Errorf("err = %v", err)
	}
	if g.Close() != 10 || g.Last() != 10 {
		t.Errorf("Close %d, Last %d after a refusal", g.Close(), g.Last())
	}
}

// What Close returns is a promise to the next owner: no id may be later, however
// many goroutines are minting at that moment.
func TestNothingIsMintedAfterTheMillisecondThatCloseReturns(t *testing.T) {
	for range 50 {
		g := NewGenerator(1, Window{Until: MaxMillis}, newClock(10).now)
		var (
			wg     sync.WaitGroup
			newest [4]int64
		)
		started := make(chan struct{}, len(newest))
		for i := range newest {
			wg.Go(func() {
				started <- struct{}{}
				for {
					s, err := g.Socket()
					if err != nil {
						return
					}
					newest[i] = s.Millis()
				}
			})
		}
		for range newest {
			<-started
		}
		last := g.Close()
		wg.Wait()
		if m := slices.Max(newest[:]); m > last {
			t.Fatalf("id of %d after Close returned %d", m, last)
		}
	}
}

func TestConcurrentMintingRepeatsNothing(t *testing.T) {
	const workers, each = 8, 20_000
	c := newClock(1000)
	g := NewGenerator(1, Window{Until: 1_000_000}, c.now)
	ids := make([][]uint64, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for n := range each {
				var v uint64
				if n%2 == 0 {
					s, err := g.Socket()
					if err != nil {
						t.Error(err)
						return
					}
					v = uint64(s)
				} else {
					m, err := g.Message()
					if err != nil {
						t.Error(err)
						return
					}
					v = uint64(m)
				}
				ids[i] = append(ids[i], v)
				// The clock jumps both ways while all mint.
				c.millis.Store(1000 + int64(n*7919%5000))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(ids...)
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != workers*each {
		t.Errorf("%d distinct ids of %d", got, workers*each)
	}
	for i, own := range ids {
		if !slices.IsSorted(own) {
			t.Errorf("the ids seen by worker %d do not rise", i)
		}
	}
}

// A paused owner that wakes up goes on in its window, the successor starts behind it.
func TestOwnersOfOneNumberStayApart(t *testing.T) {
	c := newClock(10)
	old := NewGenerator(1, Window{After: 0, Until: 20}, c.now)
	heir := NewGenerator(1, Window{After: 20, Until: 40}, c.now)
	seen := map[Socket]bool{}
	for range 5 {
		for _, g := range []*Generator{old, heir} {
			s := mustSocket(t, g)
			if seen[s] {
				t.Fatalf("%d twice", s)
			}
			seen[s] = true
		}
	}
	c.millis.Store(30)
	if _, err := old.Socket(); !errors.Is(err, ErrLease) {
		t.Errorf("the old owner: %v", err)
	}
	mustSocket(t, heir)
}

func TestMintingDoesNotAllocate(t *testing.T) {
	g := NewGenerator(1, Window{Until: MaxMillis}, time.Now)
	n := testing.AllocsPerRun(10_000, func() {
		if _, err := g.Socket(); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Message(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGenerator(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		g := NewGenerator(1, Window{Until: MaxMillis}, time.Now)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Socket(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		g := NewGenerator(1, Window{Until: MaxMillis}, time.Now)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := g.Socket(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
