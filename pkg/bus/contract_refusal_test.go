package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

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
	if took := time.Since(started); took > 20*time.Second { // one after the other they take fifty
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
	fresh := new(kafka.Transport) // the default one may remember that there is no such topic
	defer fresh.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(broker), Topic: cfg.UpTopic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: fresh}
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
				Dialer: &kafka.Dialer{Timeout: 10 * time.Second, DualStack: true}, // the default one is lent out by components.readers
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
