package tally

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreOffByLessThanTwoPercent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 50_000 {
		d := time.Duration(math.Exp(r.Float64()*20)) * 10 * time.Microsecond / 10
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, .01, .5, .9, .99, .999, 1} {
		want := all[max(int(math.Ceil(q*float64(len(all))))-1, 0)]
		got := h.Quantile(q)
		if diff := math.Abs(float64(got - want)); diff > 0.016*float64(want)+float64(time.Microsecond) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != 50_000 {
		t.Errorf("max %v of %d", h.Max(), h.Count())
	}
}

func TestEveryBucketHoldsItsOwnMiddle(t *testing.T) {
	for i := range buckets {
		if got := bucketOf(middle(i)); got != i {
			t.Fatalf("bucket %d stands for %v, which goes to bucket %d", i, middle(i), got)
		}
	}
	if bucketOf(time.Duration(highest)*time.Microsecond) != buckets-1 || bucketOf(math.MaxInt64) != buckets-1 {
		t.Error("the longest do not go to the last bucket")
	}
	if bucketOf(-1) != 0 {
		t.Error("negative ones do not count as 0")
	}
}

func TestHistogramsAddUpOverTheWire(t *testing.T) {
	var a, b, want Histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		want.Add(d)
		if i%2 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	text, err := json.Marshal(b.Take())
	if err != nil {
		t.Fatal(err)
	}
	if b.Count() != 0 {
		t.Error("Take leaves something")
	}
	var got Histogram
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	got.Merge(&a)
	if !slices.Equal(got.counts, want.counts) || got.n != want.n || got.max != want.max || got.Mean() != want.Mean() {
		t.Error("the sum is not that of its parts")
	}
	if err := json.Unmarshal([]byte(`{"b":[[99999,1]]}`), &got); err == nil {
		t.Error("a bucket that does not exist is taken")
	}
}
