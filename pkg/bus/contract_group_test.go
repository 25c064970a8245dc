package bus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

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
