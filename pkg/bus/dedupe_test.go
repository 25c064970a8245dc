package bus

import (
	"sync"
	"sync/atomic"
	"testing"

	"sluice/pkg/id"
)

func TestDedupeRemembersTheLatest(t *testing.T) {
	const size = 100
	d := NewDedupe(size)
	for mid := id.Message(1); mid <= 10*size; mid++ {
		if d.Seen(mid) {
			t.Fatalf("%d seen before it came", mid)
		}
		for back := range id.Message(size) {
			if back < mid-1 && !d.Seen(mid-back) {
				t.Fatalf("%d forgotten at %d", mid-back, mid)
			}
		}
		if n := len(d.young) + len(d.old); n > 2*size {
			t.Fatalf("%d ids are held", n)
		}
	}
	if d.Seen(1) {
		t.Error("the first of a thousand is remembered")
	}
}

func TestDedupeForgetsWhatItIsTold(t *testing.T) {
	d := NewDedupe(10)
	d.Seen(5)
	d.Forget(5)
	if d.Seen(5) {
		t.Error("seen after it was forgotten")
	}
}

func TestDedupeDoesNotConfuseRecordsWithoutAnId(t *testing.T) {
	d := NewDedupe(10)
	for range 2 {
		if d.Seen(0) {
			t.Error("the zero id was seen")
		}
	}
}

func TestDedupeLetsOneThrough(t *testing.T) {
	d := NewDedupe(1000)
	var through atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for mid := id.Message(1); mid <= 500; mid++ {
				if !d.Seen(mid) {
					through.Add(1)
				}
			}
		})
	}
	all.Wait()
	if through.Load() != 500 {
		t.Errorf("%d went through", through.Load())
	}
}
