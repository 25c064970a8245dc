package tally

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Buckets are a microsecond wide up to 128 of them, and from there on 64 for
// each doubling: a value is off by 1.6 % at most.
const (
	subBits = 6
	linear  = 2 << subBits
	highest = uint64(1)<<32 - 1 // microseconds: 71 minutes, kept in the last bucket
	buckets = linear + (32-subBits-1)<<subBits
)

// Histogram counts durations. The zero value is empty and ready; it takes about
// 13 KB once used. It is for one goroutine.
type Histogram struct {
	counts []uint64 // nil while empty
	n      uint64
	sum    time.Duration
	max    time.Duration
}

func bucketOf(d time.Duration) int {
	v := min(uint64(max(d, 0)/time.Microsecond), highest)
	if v < linear {
		return int(v)
	}
	e := bits.Len64(v) - subBits - 1
	return e<<subBits + int(v>>e)
}

// middle is the value that stands for a bucket.
func middle(bucket int) time.Duration {
	if bucket < linear {
		return time.Duration(bucket) * time.Microsecond
	}
	e := bucket>>subBits - 1
	low := uint64(bucket-e<<subBits) << e
	return time.Duration(low+1<<e/2) * time.Microsecond
}

// Add counts one duration. Negative ones, of clocks that disagree, count as 0.
func (h *Histogram) Add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Take returns what was counted and empties h.
func (h *Histogram) Take() Histogram {
	taken := *h
	*h = Histogram{}
	return taken
}

// Count is the number of durations.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the longest one, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is their average, exactly; 0 when there are none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Quantile returns the duration that the share q of all do not exceed, off by
// 1.6 % at most; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q*float64(h.n) + 0.999999)
	rank = min(max(rank, 1), h.n)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return min(middle(i), h.max)
		}
	}
	return h.max
}

// String is for messages: what was counted, without its buckets.
func (h Histogram) String() string {
	return fmt.Sprintf("%d, p50 %v, p99 %v, max %v", h.n, h.Quantile(.5), h.Quantile(.99), h.max)
}

// wireHistogram holds the buckets that are not empty as index and count.
type wireHistogram struct {
	Buckets [][2]uint64   `json:"b,omitempty"`
	Sum     time.Duration `json:"s,omitempty"`
	Max     time.Duration `json:"m,omitempty"`
}

// MarshalJSON writes the buckets that are not empty.
func (h Histogram) MarshalJSON() ([]byte, error) {
	w := wireHistogram{Sum: h.sum, Max: h.max}
	for i, c := range h.counts {
		if c > 0 {
			w.Buckets = append(w.Buckets, [2]uint64{uint64(i), c})
		}
	}
	return json.Marshal(w)
}

var errBuckets = errors.New("tally: histogram of another shape")

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var w wireHistogram
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*h = Histogram{sum: w.Sum, max: w.Max}
	for _, b := range w.Buckets {
		if b[0] >= buckets {
			return errBuckets
		}
		if h.counts == nil {
			h.counts = make([]uint64, buckets)
		}
		h.counts[b[0]] += b[1]
		h.n += b[1]
	}
	return nil
}
