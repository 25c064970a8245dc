package bus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkEnqueue waits for every acknowledgement. Bodies have 1,000 bytes.
func BenchmarkEnqueue(b *testing.B) {
	for _, linger := range []time.Duration{200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		b.Run(fmt.Sprint("linger=", linger), func(b *testing.B) { benchmarkEnqueue(b, linger) })
	}
}

func benchmarkBroker(b *testing.B) string {
	if broker, wanted := realKafka(b); wanted {
		return broker
	}
	return embedded(b).ListenAddrs()[0]
}

func benchmarkConfig(b *testing.B, linger time.Duration) Config {
	cfg := testConfig(benchmarkBroker(b))
	d := DefaultConfig()
	cfg.Partitions, cfg.Producer = d.Partitions, d.Producer
	cfg.Producer.Linger = linger
	cfg.Producer.MaxAge = time.Minute
	return cfg
}

func benchmarkEnqueue(b *testing.B, linger time.Duration) {
	cfg := benchmarkConfig(b, linger)
	p, stop := produce(b, open(b, cfg))
	defer stop()
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("socket", i)
	}
	body := make([]byte, 1000)
	var failed atomic.Int64
	var settled sync.WaitGroup
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		settled.Add(1)
		r := Record{Topic: cfg.UpTopic, Key: keys[i%len(keys)], Headers: fullHeaders, Body: body}
		for p.Enqueue(r, func(err error) {
			if err != nil {
				failed.Add(1)
			}
			settled.Done()
		}) != nil {
			time.Sleep(100 * time.Microsecond)
		}
	}
	settled.Wait()
	b.StopTimer()
	if failed.Load() > 0 {
		b.Errorf("%d records failed", failed.Load())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkWayThrough is the time from Enqueue to the handler at 2,000 records per
// second; it reports percentiles and not the time per operation.
func BenchmarkWayThrough(b *testing.B) {
	for _, linger := range []time.Duration{200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		b.Run(fmt.Sprint("linger=", linger), func(b *testing.B) { benchmarkWayThrough(b, linger) })
	}
}

func benchmarkWayThrough(b *testing.B, linger time.Duration) {
	cfg := benchmarkConfig(b, linger)
	cfg.Consumer = DefaultConfig().Consumer
	k := open(b, cfg)
	p, stop := produce(b, k)
	defer stop()
	took := make(chan time.Duration, b.N+1)
	_, end := consume(b, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		took <- time.Since(d.Headers.Stamps[0].At)
		d.Ack()
	})
	defer end()
	send := func(key string) {
		r := Record{Topic: cfg.UpTopic, Key: key, Headers: Headers{Mid: 1}, Body: make([]byte, 1000)}
		r.Headers.Stamp("gateway", time.Now())
		if err := p.Enqueue(r, nil); err != nil {
			b.Error(err)
		}
	}
	send("first") // the group is ready when it arrives
	<-took

	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	b.ResetTimer()
	for i := range b.N {
		if i%20 == 0 {
			<-ticker.C
		}
		send(fmt.Sprint("socket", i%1000))
	}
	all := make([]time.Duration, b.N)
	for i := range all {
		all[i] = <-took
	}
	b.StopTimer()
	reportPercentiles(b, all)
}

func reportPercentiles(b *testing.B, all []time.Duration) {
	slices.Sort(all)
	at := func(q float64) float64 { return all[int(q*float64(len(all)-1))].Seconds() * 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

func BenchmarkHeaders(b *testing.B) {
	var buf []byte
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = appendHeaders(buf[:0], &fullHeaders)
		}
	})
	full := encoded(&fullHeaders)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeHeaders(full); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBody(b *testing.B) {
	up := Up{Namespace: "/", Event: "edit", Args: make([]byte, 200), HasAck: true, AckID: 7, Boot: "b00t", Replica: 9}
	buf := make([]byte, 0, 4096)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = up.Append(buf[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeUp(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMessage is one message of a client on its way through the producer, without
// Kafka and its share of a request: taken, encoded, put into a batch, and settled.
func BenchmarkMessage(b *testing.B) {
	cycle, _ := messageCycle(b)
	b.ReportAllocs()
	for b.Loop() {
		cycle()
	}
}
