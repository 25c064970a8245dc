package stream

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"sluice/pkg/redistest"
)

// benchPlace is the real Redis if there is one, for miniredis says nothing about
// times.
func benchPlace(b *testing.B) *place {
	if os.Getenv("SLUICE_TEST_REAL") != "" {
		return &place{redistest.Open(b, redistest.RealKind)}
	}
	p := &place{redistest.Open(b, redistest.EmbeddedKind)}
	p.Mini.Server().SetPreHook(nil)
	return p
}

var benchBody = make([]byte, 480)

var benchMid atomic.Int64

func BenchmarkAppend(b *testing.B) {
	s := benchPlace(b).stream(func(c *Config) { c.Shards = 4 })
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(benchMid.Add(1))
			if _, _, err := s.Append(context.Background(), doc(fmt.Sprint(n%1000)), mid(n), benchBody); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkAppendMany(b *testing.B) {
	for _, docs := range []int{1, 1000} {
		for _, size := range []int{1, 16, chunkItems} {
			b.Run(fmt.Sprintf("docs=%d/batch=%d", docs, size), func(b *testing.B) {
				s := benchPlace(b).stream(func(c *Config) { c.Shards = 4 })
				items := make([]Item, size)
				b.ReportAllocs()
				for b.Loop() {
					for i := range items {
						n := int(benchMid.Add(1))
						items[i] = Item{Target: doc(fmt.Sprint(n % docs)), Mid: mid(n), Body: benchBody}
					}
					for _, r := range s.AppendMany(context.Background(), items) {
						if r.Err != nil {
							b.Fatal(r.Err)
						}
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// BenchmarkBroadcast counts a message when a follower has handled it.
func BenchmarkBroadcast(b *testing.B) {
	p := benchPlace(b)
	four := func(c *Config) { c.Shards = 4 }
	s, writer := p.stream(four), p.stream(four)
	ctx, cancel := context.WithCancel(context.Background())
	var count atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx, func(e Entry) {
			if e.Gap != nil {
				b.Errorf("gap: %+v", *e.Gap)
			}
			count.Add(1)
		})
	}()
	defer func() { cancel(); <-done }()
	eventually(b, "the stream is live", s.Live)
	items := make([]Item, chunkItems)
	sent := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range items {
			n := int(benchMid.Add(1))
			items[i] = Item{Target: doc(fmt.Sprint(n % 1000)), Mid: mid(n), Body: benchBody}
		}
		for _, r := range writer.AppendMany(ctx, items) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
		sent += len(items)
	}
	eventually(b, "all arrive", func() bool { return int(count.Load()) >= sent })
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkRead(b *testing.B) {
	s := benchPlace(b).stream()
	var first Entry
	for i := range 100 {
		e, _, err := s.Append(context.Background(), doc("a"), mid(int(benchMid.Add(1))), benchBody)
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			first = e
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		h, err := s.Read(context.Background(), doc("a"), first.Epoch, first.Seq)
		if err != nil || len(h.Entries) != 99 {
			b.Fatal(len(h.Entries), err)
		}
	}
}

func BenchmarkParseMessage(b *testing.B) {
	payload := "1795000000000000 1795000000000012 " + mid(7).String() + " 13 d:report-2024" + string(benchBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMessage(0, payload); err != nil {
			b.Fatal(err)
		}
	}
}
