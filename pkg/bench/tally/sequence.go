package tally

import "slices"

// Verdict is what a number means to the Sequence that sees it.
type Verdict uint8

// What a number can be.
const (
	New       Verdict = iota // seen for the first time, after all others
	Late                     // seen for the first time, after a higher one
	Duplicate                // seen before
)

// span is the numbers from first to before end.
type span struct{ first, end uint32 }

// Sequence is which numbers of a stream 1, 2, 3, ... a receiver saw, exactly.
// The zero value has seen none. It takes 16 bytes as long as what comes is
// complete and in order, and 8 more for each hole.
type Sequence struct {
	first, end uint32 // all that was seen lies in first <= n < end
	holes      *[]span
}

// See takes a number.
func (s *Sequence) See(n uint32) Verdict {
	switch {
	case s.end == s.first:
		s.first, s.end = n, n+1
		return New
	case n == s.end:
		s.end++
		return New
	case n > s.end:
		s.addHole(span{s.end, n})
		s.end = n + 1
		return New
	case n < s.first:
		if n+1 < s.first {
			s.addHole(span{n + 1, s.first})
		}
		s.first = n
		return Late
	case s.fill(n):
		return Late
	}
	return Duplicate
}

func (s *Sequence) addHole(h span) {
	if s.holes == nil {
		s.holes = new([]span)
	}
	i, _ := slices.BinarySearchFunc(*s.holes, h.first, func(at span, first uint32) int { return int(int64(at.first) - int64(first)) })
	*s.holes = slices.Insert(*s.holes, i, h)
}

// hole finds the hole that n lies in.
func (s *Sequence) hole(n uint32) (int, bool) {
	if s.holes == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(*s.holes, n, func(h span, n uint32) int {
		switch {
		case h.end <= n:
			return -1
		case h.first > n:
			return 1
		}
		return 0
	})
}

// fill tells whether n was in a hole, and takes it out.
func (s *Sequence) fill(n uint32) bool {
	i, found := s.hole(n)
	if !found {
		return false
	}
	h := (*s.holes)[i]
	var left []span
	if h.first < n {
		left = append(left, span{h.first, n})
	}
	if n+1 < h.end {
		left = append(left, span{n + 1, h.end})
	}
	*s.holes = slices.Replace(*s.holes, i, i+1, left...)
	return true
}

// Saw tells whether n was seen.
func (s *Sequence) Saw(n uint32) bool {
	if n < s.first || n >= s.end {
		return false
	}
	_, missing := s.hole(n)
	return !missing
}

// Missing counts the numbers from first to last, both included, that were not
// seen.
func (s *Sequence) Missing(first, last uint32) int {
	if last < first {
		return 0
	}
	want := span{first, last + 1}
	missing := want.len() - want.within(span{s.first, s.end})
	if s.holes != nil {
		for _, h := range *s.holes {
			missing += want.within(h)
		}
	}
	return missing
}

func (s span) len() int { return int(s.end - s.first) }

// within is the number of s that lie in other too.
func (s span) within(other span) int {
	return int(max(0, int64(min(s.end, other.end))-int64(max(s.first, other.first))))
}
