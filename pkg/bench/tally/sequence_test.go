package tally

import (
	"math/rand/v2"
	"testing"
)

// TestSequenceAgreesWithASet sends numbers through a network that loses,
// repeats and reorders, and compares with a map.
func TestSequenceAgreesWithASet(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var s Sequence
		seen := map[uint32]bool{}
		var highest uint32
		for i := range uint32(200) {
			n := i + 1
			switch r.IntN(10) {
			case 0:
				continue // lost
			case 1:
				n -= min(n-1, uint32(r.IntN(8))) // late or twice
			case 2:
				n += uint32(r.IntN(5)) // early
			}
			want := New
			if seen[n] {
				want = Duplicate
			} else if n < highest {
				want = Late
			}
			if got := s.See(n); got != want {
				t.Fatalf("seed %d: %d is %v, want %v", seed, n, got, want)
			}
			seen[n], highest = true, max(highest, n)
		}
		for range 50 {
			first := uint32(r.IntN(220))
			last := first + uint32(r.IntN(60))
			want := 0
			for n := first; n <= last; n++ {
				if !seen[n] {
					want++
				}
				if s.Saw(n) != seen[n] {
					t.Fatalf("seed %d: Saw(%d) is %v", seed, n, s.Saw(n))
				}
			}
			if got := s.Missing(first, last); got != want {
				t.Fatalf("seed %d: %d of %d..%d are missing, want %d", seed, got, first, last, want)
			}
		}
	}
}

func TestAnEmptySequenceMissesEverything(t *testing.T) {
	var s Sequence
	if s.Missing(1, 10) != 10 || s.Missing(5, 4) != 0 || s.Saw(0) || s.Saw(1) {
		t.Error("an empty sequence has seen something")
	}
}

func TestCompleteSequenceDoesNotAllocate(t *testing.T) {
	var s Sequence
	n := uint32(0)
	if got := testing.AllocsPerRun(1000, func() { n++; s.See(n) }); got != 0 {
		t.Errorf("%v allocations per number", got)
	}
}

func TestSettleCountsWhatHadToArrive(t *testing.T) {
	var l Ledger
	for at := int64(100); at <= 1000; at += 100 {
		l.Sent(at) // message 1 at 100, ..., 10 at 1000
	}
	l.Failed(6)
	l.Failed(6)
	see := func(numbers ...uint32) (s Sequence) {
		for _, n := range numbers {
			s.See(n)
		}
		return s
	}
	for name, c := range map[string]struct {
		session Session
		want    Balance
	}{
		"everything arrived": {Session{From: 0, Until: 2000, Seen: see(1, 2, 3, 4, 5, 7, 8, 9, 10)}, Balance{Expected: 9}},
		"the failed one arrived too": {
			Session{From: 0, Until: 2000, Seen: see(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}, Balance{Expected: 9},
		},
		"one in the middle is lost":  {Session{From: 0, Until: 2000, Seen: see(1, 2, 4, 5, 7, 8, 9, 10)}, Balance{Expected: 9, Lost: 1}},
		"the first and the last are": {Session{From: 0, Until: 2000, Seen: see(2, 3, 4, 5, 7, 8, 9)}, Balance{Expected: 9, Lost: 2}},
		"nothing arrived":            {Session{From: 0, Until: 2000}, Balance{Expected: 9, Lost: 9}},
		"it came later":              {Session{From: 350, Until: 2000, Seen: see(4, 5, 7, 8, 9, 10)}, Balance{Expected: 6}},
		"sent while it came: owed":   {Session{From: 400, Until: 2000, Seen: see(5, 7, 8, 9, 10)}, Balance{Expected: 6, Lost: 1}},
		"sent before, it got it":     {Session{From: 350, Until: 2000, Seen: see(3, 4, 5, 7, 8, 9, 10)}, Balance{Expected: 6}},
		"it left":                    {Session{From: 0, Until: 550, Seen: see(1, 2, 3, 4, 5)}, Balance{Expected: 5}},
		"on its way when it left":    {Session{From: 0, Until: 550, Settle: 100, Seen: see(1, 2, 3, 4)}, Balance{Expected: 4, Open: 1}},
		"long before it left: lost":  {Session{From: 0, Until: 550, Settle: 100, Seen: see(1, 2, 3, 5)}, Balance{Expected: 4, Lost: 1}},
		"cut by the server":          {Session{From: 0, Until: 550, Seen: see(1, 2, 3, 4)}, Balance{Expected: 5, Lost: 1}},
		"between two messages":       {Session{From: 410, Until: 420}, Balance{}},
		"shorter than its settling":  {Session{From: 350, Until: 420, Settle: 1000}, Balance{Open: 1}},
		"after the last message":     {Session{From: 1001, Until: 2000}, Balance{}},
	} {
		if got := l.Settle(&c.session); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
