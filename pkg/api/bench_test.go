package api

import (
	"sync/atomic"
	"testing"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func BenchmarkValidatePush(b *testing.B) {
	for name, n := range map[string]int{"1 target": 1, "10000 targets": 10_000} {
		b.Run(name, func(b *testing.B) {
			l := DefaultLimits()
			req := &sluicev1.PushRequest{Documents: names64("doc-")(n), Event: &sluicev1.Event{Name: "edit", Args: `[{"op":"insert","at":10,"text":"hello"}]`}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.push(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPush measures a whole call over loopback, without Kafka's part.
func BenchmarkPush(b *testing.B) {
	acks := make(chan func(error), 10_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ack := range acks {
			ack(nil)
		}
	}()
	w := newWorld(b, func(w *world) {
		w.deps.Producer = producerFunc(func(_ bus.Record, done func(error)) error {
			acks <- done
			return nil
		})
	})
	req := pushTo("doc-1", "edit", `[{"op":"insert","at":10,"text":"hello"}]`)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		ctx := w.ctx()
		for pb.Next() {
			if _, err := w.client.Push(ctx, req); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "push/s")
	close(acks)
	<-done
}

// BenchmarkPushStream is the same on one stream.
func BenchmarkPushStream(b *testing.B) {
	w := newWorld(b, func(w *world) {
		w.deps.Producer = producerFunc(func(_ bus.Record, done func(error)) error {
			done(nil)
			return nil
		})
	})
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		b.Fatal(err)
	}
	req := pushTo("doc-1", "edit", `[{"op":"insert","at":10,"text":"hello"}]`)
	b.ReportAllocs()
	for b.Loop() {
		if err := ps.Send(req); err != nil {
			b.Fatal(err)
		}
	}
	sum, err := ps.CloseAndRecv()
	if err != nil || sum.GetAccepted() != uint64(b.N) {
		b.Fatal(sum, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "push/s")
}

// BenchmarkUplink brings events of many sockets from the consumer over a stream to a
// component and its acks back, without Kafka's part.
func BenchmarkUplink(b *testing.B) {
	k := &script{started: make(chan *script, 10)}
	w := newWorld(b, func(w *world) { w.deps.Consumer = func(string) Consumer { return k } })
	s := w.subscribe("docs", 1000)
	<-k.started
	component := make(chan struct{})
	go func() {
		defer close(component)
		for range b.N {
			select {
			case e := <-s.events:
				s.ack(e)
			case err := <-s.ended:
				b.Error(err)
				return
			}
		}
	}()
	acked := make(chan struct{}, 1)
	var left atomic.Int64
	left.Store(int64(b.N))
	rec := clientEvent(1, socketA, "edit")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		rec.Headers.Mid, rec.Headers.Socket, rec.Offset = id.Message(i+1), id.Socket(i%5000+1), int64(i)
		k.handle(k.ctx, bus.NewDelivery(rec, 1, func(error) {
			if left.Add(-1) == 0 {
				acked <- struct{}{}
			}
		}))
	}
	<-acked
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "event/s")
	<-component
}
