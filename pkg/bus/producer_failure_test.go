package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// silent is a broker that takes connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				<-ctx.Done()
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

func TestFullBufferRefusesAtOnce(t *testing.T) {
	for _, bound := range []struct {
		name string
		set  func(*ProducerConfig)
	}{
		{"records", func(c *ProducerConfig) { c.MaxRecords = 10 }},
		{"bytes", func(c *ProducerConfig) { c.MaxRecordBytes, c.MaxBytes = 10_000, 10_000 }},
	} {
		t.Run(bound.name, func(t *testing.T) {
			cfg := testConfig(silent(t))
			cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = 300*time.Millisecond, 100*time.Millisecond
			bound.set(&cfg.Producer)
			k := openWithoutTopics(t, cfg)
			p, stop := produce(t, k)
			var settled atomic.Int64
			r := rec(cfg.UpTopic, "k", 0)
			r.Body = make([]byte, 900)
			var taken int64
			var err error
			for err == nil {
				if taken > 10 {
					t.Fatal("more than the bound were taken")
				}
				if err = p.Enqueue(r, func(error) { settled.Add(1) }); err == nil {
					taken++
				}
			}
			if !errors.Is(err, ErrFull) || taken < 5 {
				t.Fatalf("after %d records: %v", taken, err)
			}
			// Room comes back when records end, whatever their end.
			eventually(t, "room", func() bool { return p.Enqueue(r, nil) == nil })
			stop()
			if settled.Load() != taken {
				t.Errorf("%d of %d records settled", settled.Load(), taken)
			}
		})
	}
}

func TestSilentBrokerIsATimeoutInTime(t *testing.T) {
	cfg := testConfig(silent(t))
	cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = 500*time.Millisecond, 300*time.Millisecond
	k := openWithoutTopics(t, cfg)
	p, stop := produce(t, k)
	type end struct {
		err  error
		took time.Duration
	}
	const n = 200
	ends := make(chan end, 2*n)
	for i := range n {
		from := time.Now()
		if err := p.Enqueue(rec(cfg.UpTopic, fmt.Sprint("k", i), 0), func(err error) { ends <- end{err, time.Since(from)} }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	for range n {
		select {
		case e := <-ends:
			if !errors.Is(e.err, ErrTimeout) {
				t.Fatalf("ended with %v", e.err)
			}
			if e.took < 500*time.Millisecond || e.took > patience/4 {
				t.Errorf("ended after %v", e.took)
			}
		case <-time.After(patience):
			t.Fatal("some never ended")
		}
	}
	stop()
	if len(ends) > 0 {
		t.Errorf("%d ended twice", len(ends))
	}
}

func TestTimedOutRecordIsNotWrittenAfterwards(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Partitions, cfg.Producer.Lanes = 1, 1
	cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = 4*time.Second, 2*time.Second // enough for the second record
	k := open(t, cfg)
	p, _ := produce(t, k)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Publish(ctx, rec(cfg.UpTopic, "k", 0)); !errors.Is(err, ErrTimeout) {
		t.Fatalf("published: %v", err)
	}
	fault.Remove()
	publish(t, p, rec(cfg.UpTopic, "k", 1))
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	if got, want := bodies(j.untilCount(t, 1)), "k-1#1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	cfg := testConfig(silent(t))
	cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = 2*time.Second, 100*time.Millisecond
	k := openWithoutTopics(t, cfg)
	p, _ := produce(t, k)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Publish(ctx, rec(cfg.UpTopic, "k", 0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("published: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flushed: %v", err)
	}
}

func TestWhatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Producer.MaxAge = patience
	k := open(t, cfg)
	p, _ := produce(t, k)
	r := rec(cfg.UpTopic, "k", 0)
	r.Body = make([]byte, cfg.Producer.MaxRecordBytes)
	if err := p.Enqueue(r, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := p.Enqueue(rec("elsewhere", "k", 0), nil); !errors.Is(err, ErrTopic) {
		t.Errorf("unknown topic: %v", err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed})
	err := p.Publish(context.Background(), rec(cfg.UpTopic, "k", 0))
	if err == nil || errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "uthoriz") {
		t.Errorf("not authorized: %v", err)
	}
}
