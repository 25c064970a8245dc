package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func keyKeepsItsOrderUnderConcurrency(t *testing.T, broker string) {
	const keys, each = 40, 100
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })

	var writers, settled sync.WaitGroup
	var failed atomic.Int64
	for i := range keys {
		settled.Add(each)
		writers.Go(func() {
			for n := range each {
				if err := p.Enqueue(rec(cfg.UpTopic, fmt.Sprint("k", i), n), func(err error) {
					if err != nil {
						failed.Add(1)
					}
					settled.Done()
				}); err != nil {
					t.Error(err)
					settled.Done()
				}
			}
		})
	}
	writers.Wait()
	settled.Wait()
	if failed.Load() > 0 {
		t.Fatalf("%d records failed", failed.Load())
	}
	checkOrder(t, j.untilMids(t, keys*each), keys, each)
}

func flushWaits(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	var settled atomic.Int64
	const n = 2000
	for i := range n {
		if err := p.Enqueue(rec(cfg.UpTopic, fmt.Sprint(i%50), i), func(err error) {
			if err == nil {
				settled.Add(1)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if settled.Load() != n {
		t.Errorf("%d of %d settled when Flush returned", settled.Load(), n)
	}
	if records, bytes := p.Buffered(); records != 0 || bytes != 0 {
		t.Errorf("%d records, %d bytes are left", records, bytes)
	}
}

func runWritesBeforeItEnds(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, stop := produce(t, k)
	var settled, failed atomic.Int64
	const n = 2000
	for i := range n {
		if err := p.Enqueue(rec(cfg.UpTopic, fmt.Sprint(i%50), i), func(err error) {
			settled.Add(1)
			if err != nil {
				failed.Add(1)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if settled.Load() != n || failed.Load() != 0 {
		t.Errorf("%d of %d settled, %d failed", settled.Load(), n, failed.Load())
	}
	if err := p.Enqueue(rec(cfg.UpTopic, "k", 0), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Enqueue after the end: %v", err)
	}
	if err := p.Flush(context.Background()); err != nil {
		t.Errorf("Flush after the end: %v", err)
	}
}

func missingTopicsAreCreated(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := openWithoutTopics(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 2 { // the second finds them
		if err := k.EnsureTopics(ctx); err != nil {
			t.Fatal(err)
		}
	}
	res, err := k.admin.Metadata(ctx, &kafka.MetadataRequest{Topics: cfg.Topics()})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Topics) != 4 {
		t.Fatalf("%d topics, want 4", len(res.Topics))
	}
	for _, topic := range res.Topics {
		if topic.Error != nil || len(topic.Partitions) != cfg.Partitions {
			t.Errorf("%s: %d partitions, %v", topic.Name, len(topic.Partitions), topic.Error)
		}
	}
}

func recordArrivesWhole(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	sent := Record{
		Topic: cfg.UpTopic, Key: "socket", Body: []byte("body\x00\xff"),
		Headers: Headers{
			Mid: 77, Socket: 88, User: "user:1", Doc: "dök", Event: EventConnect, Operator: OperatorUnicast,
			Inner: "join", Locale: "de", AuthType: "jwt", ClientVersion: "1.2", ServerVersion: "3.4",
			PushClientID: "comp", TraceID: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			Stamps: []Stamp{{"gateway", time.UnixMicro(1_700_000_000_000_001)}, {"other", time.UnixMicro(5)}},
		},
	}
	before := time.Now()
	publish(t, p, sent)
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	got := j.untilCount(t, 1)[0].Record
	if got.Time.Before(before.Add(-time.Second)) || got.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("time %v, written after %v", got.Time, before)
	}
	if got.HighWater != got.Offset+1 {
		t.Errorf("high water %d of offset %d", got.HighWater, got.Offset)
	}
	got.Time, got.HighWater, got.Partition = time.Time{}, 0, 0
	if !reflect.DeepEqual(sent, got) {
		t.Errorf("sent %+v\ngot  %+v", sent, got)
	}
}
