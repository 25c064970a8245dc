package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// The contract holds on the embedded broker and on Apache Kafka alike.
var contract = []struct {
	name string
	test func(t *testing.T, broker string)
}{
	{"MissingTopicsAreCreated", missingTopicsAreCreated},
	{"RecordArrivesWhole", recordArrivesWhole},
	{"KeyKeepsItsOrderUnderConcurrency", keyKeepsItsOrderUnderConcurrency},
	{"NewGroupBeginsAtTheOldest", newGroupBeginsAtTheOldest},
	{"WhatIsNotAckedComesAgain", whatIsNotAckedComesAgain},
	{"RefusedComesAgainBeforeItsKeyGoesOn", refusedComesAgainBeforeItsKeyGoesOn},
	{"PoisonIsPutAsideAndThePartitionMovesOn", poisonIsPutAside},
	{"UnreadableHeadersArePutAside", unreadableHeadersArePutAside},
	{"UnansweredComesAgain", unansweredComesAgain},
	{"AcksAfterTheLossOfAPartitionDoNotCount", acksAfterLossDoNotCount},
	{"GroupChangesWithoutLoss", groupChangesWithoutLoss},
	{"FlushWaitsForWhatWasTaken", flushWaits},
	{"RunWritesWhatItHasBeforeItEnds", runWritesBeforeItEnds},
	{"LagIsWhatIsNotSettled", lagIsWhatIsNotSettled},
	{"HandlerIsNotOverwhelmed", inFlightIsBounded},
	{"HandlerThatBlocksIsToldToLetGo", blockedHandlerLetsGo},
}

func TestContractOnEmbeddedKafka(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, embedded(t).ListenAddrs()[0]) })
	}
}

func TestContractOnApacheKafka(t *testing.T) {
	broker, wanted := realKafka(t)
	if !wanted {
		return
	}
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, broker) })
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

func newGroupBeginsAtTheOldest(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	for n := range 10 {
		publish(t, p, rec(cfg.DownTopic, fmt.Sprint("k", n), 0))
	}
	j := newJournal()
	consume(t, k, cfg.DownTopic, "late", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	j.untilMids(t, 10)
}

func whatIsNotAckedComesAgain(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 1
	k := open(t, cfg)
	p, _ := produce(t, k)
	for n := range 10 {
		publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", n), n))
	}
	acked := []int{6, 0, 3, 5, 1, 2} // 4 is missing: 5 and 6 lie behind it
	j := newJournal()
	_, stop := consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d) })
	first := j.untilCount(t, 10)
	for _, n := range acked {
		first[n].Ack()
	}
	stop()
	if s := bodies(j.all()); strings.Contains(s, "#2") {
		t.Fatalf("handed over again meanwhile: %s", s)
	}

	j = newJournal()
	_, stop = consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	if got, want := bodies(j.untilCount(t, 6)), "k4-4#1 k5-5#1 k6-6#1 k7-7#1 k8-8#1 k9-9#1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	stop()

	publish(t, p, rec(cfg.UpTopic, "k10", 10))
	j = newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	if got, want := bodies(j.untilCount(t, 1)), "k10-10#1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func refusedComesAgainBeforeItsKeyGoesOn(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 1
	k := open(t, cfg)
	p, _ := produce(t, k)
	for n := range 3 {
		publish(t, p, rec(cfg.UpTopic, "sick", n), rec(cfg.UpTopic, "well", n))
	}
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		j.add(d)
		if string(d.Body) == "sick-0" && d.Attempt < 3 {
			d.Nack(errors.New("not yet"))
			return
		}
		d.Ack()
	})
	all := j.untilCount(t, 8)
	of := func(key string) (out []*Delivery) {
		for _, d := range all {
			if d.Key == key {
				out = append(out, d)
			}
		}
		return out
	}
	if got, want := bodies(of("sick")), "sick-0#1 sick-0#2 sick-0#3 sick-1#1 sick-2#1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := bodies(of("well")), "well-0#1 well-1#1 well-2#1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, d := range of("sick")[:3] {
		if d.Headers.Mid != all[0].Headers.Mid {
			t.Errorf("message id %d became %d", all[0].Headers.Mid, d.Headers.Mid)
		}
	}
}

func poisonIsPutAside(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 1
	cfg.Consumer.RetryFor = time.Second
	cfg.Consumer.RetryBackoff = 50 * time.Millisecond
	cfg.Consumer.MaxAttempts = 4
	cfg.Consumer.MaxInFlightPartition = 20 // the poisoned key alone fills the window
	k := open(t, cfg)
	p, _ := produce(t, k)
	const poisoned, well = 50, 50
	for n := range poisoned {
		publish(t, p, rec(cfg.UpTopic, "poison", n), rec(cfg.UpTopic, "well", n))
	}
	j := newJournal()
	started := time.Now()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		j.add(d)
		if d.Key == "poison" {
			d.Nack(errors.New("cannot be done"))
			return
		}
		d.Ack()
	})
	j.until(t, "the healthy key's records", func(all []*Delivery) bool {
		n := 0
		for _, d := range all {
			if d.Key == "well" {
				n++
			}
		}
		return n == well
	})
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("the partition moved on after %v only", took)
	}

	letters := readAll(t, broker, cfg.UpTopic+cfg.DeadLetterSuffix, cfg.Partitions, poisoned)
	h := headersOf(letters[0])
	at, err := time.Parse(time.RFC3339Nano, h["X-Dead-At"])
	if err != nil || at.Before(started) {
		t.Errorf("put aside at %q", h["X-Dead-At"])
	}
	delete(h, "X-Dead-At")
	delete(h, "traceparent")
	want := map[string]string{
		"X-Dead-Reason": "cannot be done", "X-Dead-Cause": "nack", "X-Dead-Attempts": "4",
		"X-Dead-Topic": cfg.UpTopic, "X-Dead-Partition": "0", "X-Dead-Offset": "0", "X-Dead-Group": "g",
		"X-Mid": rec("", "poison", 0).Headers.Mid.String(), "X-Event": "Message",
	}
	if !maps.Equal(want, h) {
		t.Errorf("headers %v\nwant    %v", h, want)
	}
	for n, l := range letters {
		if want := fmt.Sprint("poison-", n); string(l.Value) != want || string(l.Key) != "poison" {
			t.Errorf("letter %d is %s of %s, want %s", n, l.Value, l.Key, want)
		}
	}
	// Nothing is left to come again.
	eventually(t, "a lag of zero", func() bool { return committed(t, k, cfg.UpTopic, "g") == poisoned+well })
}

func unreadableHeadersArePutAside(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 1
	k := open(t, cfg)
	p, _ := produce(t, k)
	w := &kafka.Writer{Addr: kafka.TCP(broker), Topic: cfg.UpTopic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	strange := kafka.Message{Key: []byte("k"), Value: []byte("v"), Headers: []kafka.Header{
		{Key: "X-Mid", Value: []byte("no id")}, {Key: "X-Dead-Reason", Value: []byte("of an earlier life")}, {Key: "Other", Value: []byte("kept")},
	}}
	if err := w.WriteMessages(ctx, strange); err != nil {
		t.Fatal(err)
	}
	publish(t, p, rec(cfg.UpTopic, "k", 1))
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	if got, want := bodies(j.untilCount(t, 1)), "k-1#1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	h := headersOf(readAll(t, broker, cfg.UpTopic+cfg.DeadLetterSuffix, 1, 1)[0])
	if h["X-Dead-Cause"] != "headers" || h["Other"] != "kept" || h["X-Mid"] != "no id" ||
		!strings.Contains(h["X-Dead-Reason"], "X-Mid") || h["X-Dead-Attempts"] != "0" {
		t.Errorf("headers %v", h)
	}
}

func unansweredComesAgain(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 1
	cfg.Consumer.AckTimeout = 200 * time.Millisecond
	k := open(t, cfg)
	p, _ := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "k", 0), rec(cfg.UpTopic, "other", 0))
	j := newJournal()
	_, stop := consume(t, k, cfg.UpTopic, "g", func(ctx context.Context, d *Delivery) {
		j.add(d)
		if d.Key == "k" && d.Attempt == 1 {
			// Blocking is not silence: the time begins when the handler returns.
			pauseFor(ctx, 400*time.Millisecond)
			return
		}
		d.Ack()
	})
	all := j.untilCount(t, 3)
	if got, want := bodies(all), "k-0#1 other-0#1 k-0#2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	all[0].Ack() // late, and no harm
	stop()
	if n := committed(t, k, cfg.UpTopic, "g"); n != 2 {
		t.Errorf("committed %d, want 2", n)
	}
}

func acksAfterLossDoNotCount(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Partitions = 2
	cfg.Consumer.Handover = 50 * time.Millisecond
	k := open(t, cfg)
	p, _ := produce(t, k)
	const n = 20
	for i := range n {
		publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), i))
	}
	slow := newJournal()
	var ended atomic.Int64
	consume(t, k, cfg.UpTopic, "g", func(ctx context.Context, d *Delivery) {
		slow.add(d)
		context.AfterFunc(ctx, func() { ended.Add(1) })
	})
	mine := slow.untilCount(t, n)

	// The second member takes one of the partitions over.
	quick := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { quick.add(d); d.Ack() })
	taken := quick.untilCount(t, 1)[0].Partition
	eventually(t, "the end of the handlers' context", func() bool { return ended.Load() >= n })
	for _, d := range mine {
		d.Ack()
	}
	var want []string
	for _, d := range mine {
		if d.Partition == taken {
			want = append(want, string(d.Body))
		}
	}
	var got []string
	for _, d := range quick.untilCount(t, len(want)) {
		got = append(got, string(d.Body))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// What stayed comes again to the first.
	again := slow.untilCount(t, n+n-len(want))
	for _, d := range again[n:] {
		if d.Partition == taken {
			t.Errorf("%s of a lost partition", d.Body)
		}
	}
}

func groupChangesWithoutLoss(t *testing.T, broker string) {
	const keys = 20
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	j := newJournal()
	member := func() (got *atomic.Int64, stop func()) {
		got = new(atomic.Int64)
		_, stop = consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
			got.Add(1)
			j.add(d)
			if rand.IntN(4) == 0 {
				time.AfterFunc(time.Duration(rand.IntN(20))*time.Millisecond, d.Ack) // out of order
				return
			}
			d.Ack()
		})
		return got, stop
	}
	works := func(got *atomic.Int64) {
		t.Helper()
		before := got.Load()
		eventually(t, "records for a member", func() bool { return got.Load() > before+20 })
	}

	var enough atomic.Bool
	var writers sync.WaitGroup
	var each [keys]int
	for i := range keys {
		writers.Go(func() {
			for !enough.Load() && each[i] < 100_000 {
				publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), each[i]))
				each[i]++
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		})
	}
	first, stopFirst := member()
	works(first)
	second, stopSecond := member()
	works(second)
	works(first)
	stopFirst()
	third, _ := member()
	works(third)
	works(second)
	stopSecond()
	works(third)
	enough.Store(true)
	writers.Wait()

	total := 0
	for _, n := range each {
		total += n
	}
	all := j.untilMids(t, total)
	t.Logf("%d records, %d repetitions", total, len(all)-total)
	next := map[string]int{}
	for _, d := range firstOf(all) {
		if want := fmt.Sprintf("%s-%d", d.Key, next[d.Key]); string(d.Body) != want {
			t.Fatalf("got %s, want %s", d.Body, want)
		}
		next[d.Key]++
	}
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

func lagIsWhatIsNotSettled(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	for i := range 20 {
		publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), 0))
	}
	j := newJournal()
	c, _ := consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d) })
	all := j.untilCount(t, 20)
	eventually(t, "a lag of 20", func() bool { return c.Lag() == 20 })
	for _, d := range all {
		d.Ack()
	}
	if lag := c.Lag(); lag != 0 {
		t.Errorf("lag %d after all were acked", lag)
	}
}

func inFlightIsBounded(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Consumer.MaxInFlight, cfg.Consumer.MaxInFlightPartition = 7, 3
	k := open(t, cfg)
	p, _ := produce(t, k)
	const n = 100
	for i := range n {
		publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), 0))
	}
	j := newJournal()
	var open, most atomic.Int64
	_, _ = consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		if now := open.Add(1); now > most.Load() {
			most.Store(now)
		}
		j.add(d)
		time.AfterFunc(5*time.Millisecond, func() { open.Add(-1); d.Ack() })
	})
	j.untilMids(t, n)
	if most.Load() > 7 {
		t.Errorf("%d in flight, at most 7 are allowed", most.Load())
	}
}

func blockedHandlerLetsGo(t *testing.T, broker string) {
	cfg := testConfig(broker)
	k := open(t, cfg)
	p, _ := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	j := newJournal()
	_, stop := consume(t, k, cfg.UpTopic, "g", func(ctx context.Context, d *Delivery) {
		j.add(d)
		<-ctx.Done()
	})
	j.untilCount(t, 1)
	stop()
	j = newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	j.untilCount(t, 1)
}

// readAll reads n messages of a topic without a group.
func readAll(t testing.TB, broker, topic string, partitions, n int) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found := make(chan kafka.Message, n)
	var readers sync.WaitGroup
	for p := range partitions {
		readers.Go(func() {
			r := kafka.NewReader(kafka.ReaderConfig{
				Brokers: []string{broker}, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond, ReadLagInterval: -1,
			})
			defer r.Close()
			for {
				m, err := r.FetchMessage(ctx)
				if err != nil {
					return
				}
				select {
				case found <- m:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	var out []kafka.Message
	for len(out) < n {
		select {
		case m := <-found:
			out = append(out, m)
		case <-ctx.Done():
			t.Fatalf("%d of %d messages in %s", len(out), n, topic)
		}
	}
	cancel()
	readers.Wait()
	return out
}

func headersOf(m kafka.Message) map[string]string {
	h := map[string]string{}
	for _, kv := range m.Headers {
		h[kv.Key] = string(kv.Value)
	}
	return h
}

// committed is the sum of what a group has committed on a topic.
func committed(t testing.TB, k *Kafka, topic, group string) (sum int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var partitions []int
	for p := range k.cfg.Partitions {
		partitions = append(partitions, p)
	}
	res, err := k.admin.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Topics[topic] {
		sum += max(p.CommittedOffset, 0)
	}
	return sum
}
