package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// flood enqueues each records of every key, from one goroutine per key, trying again
// what is refused for want of room, and returns how the records ended once all have.
func flood(t *testing.T, p *Producer, topic string, keys, each int, pause time.Duration) (failed int64) {
	t.Helper()
	var writers, settled sync.WaitGroup
	var bad atomic.Int64
	for i := range keys {
		settled.Add(each)
		writers.Go(func() {
			for n := range each {
				for {
					err := p.Enqueue(rec(topic, fmt.Sprint("k", i), n), func(err error) {
						if err != nil {
							bad.Add(1)
						}
						settled.Done()
					})
					if err == nil {
						break
					}
					if !errors.Is(err, ErrFull) {
						t.Errorf("Enqueue: %v", err)
						settled.Done()
						break
					}
					time.Sleep(time.Millisecond)
				}
				time.Sleep(pause)
			}
		})
	}
	writers.Wait()
	settled.Wait()
	return bad.Load()
}

func TestKeyKeepsItsOrderWhileWritesFail(t *testing.T) {
	// Three lanes do not fit four partitions: lanes then share partitions.
	for _, lanes := range []int{1, 3, 4} {
		t.Run(fmt.Sprint(lanes, " lanes"), func(t *testing.T) { orderWhileWritesFail(t, lanes) })
	}
}

func orderWhileWritesFail(t *testing.T, lanes int) {
	const keys, each = 30, 200
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Producer.Lanes = lanes
	cfg.Producer.BatchRecords = 50
	cfg.Producer.MaxAge = 30 * time.Second
	k := open(t, cfg)
	p, _ := produce(t, k)
	// Every third write is refused, and every fifth is taken but reported as failed.
	var writes atomic.Int64
	refused := c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1,
		When: func(kmsg.Request) bool { return writes.Add(1)%3 == 0 },
	})
	unheard := c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: -1,
		When: func(kmsg.Request) bool { return writes.Load()%5 == 0 },
	})
	if failed := flood(t, p, cfg.UpTopic, keys, each, 0); failed > 0 {
		t.Fatalf("%d records failed", failed)
	}
	if refused.Hits() < 5 || unheard.Hits() < 5 {
		t.Fatalf("only %d and %d writes failed", refused.Hits(), unheard.Hits())
	}
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	all := j.untilMids(t, keys*each)
	t.Logf("%d failed writes, %d repetitions", refused.Hits()+unheard.Hits(), len(all)-keys*each)
	checkOrder(t, all, keys, each)
}

func TestNothingAckedIsLostAcrossRestartsOfTheBroker(t *testing.T) {
	const keys, each = 20, 300
	dir := t.TempDir()
	start := func(port int) *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.Ports(port), kfake.ListenFn(loopback), kfake.DataDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start(0)
	broker := c.ListenAddrs()[0]
	_, text, _ := net.SplitHostPort(broker)
	port, _ := strconv.Atoi(text)

	cfg := testConfig(broker)
	cfg.Producer.MaxAge = 30 * time.Second
	k := open(t, cfg)
	p, _ := produce(t, k)
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	j2 := make(chan struct{})
	go func() {
		defer close(j2)
		for range 2 {
			time.Sleep(300 * time.Millisecond)
			c.Close()
			time.Sleep(200 * time.Millisecond)
			c = start(port)
		}
	}()
	failed := flood(t, p, cfg.UpTopic, keys, each, 5*time.Millisecond)
	<-j2
	defer func() { c.Close() }()
	if failed > 0 {
		t.Fatalf("%d records failed", failed)
	}
	all := j.untilMids(t, keys*each)
	t.Logf("%d repetitions", len(all)-keys*each)
	checkOrder(t, all, keys, each)
}

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
			if e.took < 500*time.Millisecond || e.took > 800*time.Millisecond {
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
	cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = 400*time.Millisecond, 100*time.Millisecond
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
		t.Errorf("not authorised: %v", err)
	}
}

func TestBatchThatTheBrokerFindsTooLargeIsSplit(t *testing.T) {
	const each = 200
	// The broker takes 4,000 bytes; our configuration believes in much more.
	c := embedded(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000"}))
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Partitions, cfg.Producer.Lanes = 1, 1
	k := open(t, cfg)
	var failed, tooLarge atomic.Int64
	p := k.Producer()
	var settled sync.WaitGroup
	for n := range each { // all of them before Run: they would be one batch
		settled.Add(1)
		r := rec(cfg.UpTopic, "k", n)
		r.Body = append(r.Body, make([]byte, 300)...)
		if n == each/2 {
			r.Body = make([]byte, 9000)
		}
		if err := p.Enqueue(r, func(err error) {
			switch {
			case errors.Is(err, ErrTooLarge):
				tooLarge.Add(1)
			case err != nil:
				failed.Add(1)
			}
			settled.Done()
		}); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, k)
	settled.Wait()
	if failed.Load() != 0 || tooLarge.Load() != 1 {
		t.Errorf("%d failed, %d too large", failed.Load(), tooLarge.Load())
	}
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	for i, d := range firstOf(j.untilMids(t, each-1)) {
		n := i
		if i >= each/2 {
			n++
		}
		if want := fmt.Sprint("k-", n, "\x00"); !strings.HasPrefix(string(d.Body), want) {
			t.Fatalf("record %d is %.8q, want %q", i, d.Body, want)
		}
	}
}

func TestRecordWaitsUntilItsDeadLetterIsWritten(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Partitions = 1
	cfg.Consumer.MaxAttempts = 2
	k := open(t, cfg)
	p, _ := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "poison", 0), rec(cfg.UpTopic, "well", 0))
	refused := c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: cfg.UpTopic + cfg.DeadLetterSuffix, Err: kerr.NotEnoughReplicas, Count: 2,
	})
	_, stop := consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) {
		if d.Key == "poison" {
			d.Nack(nil)
			return
		}
		d.Ack()
	})
	eventually(t, "two refusals", func() bool { return refused.Hits() == 2 })
	if n := committed(t, k, cfg.UpTopic, "g"); n != 0 {
		t.Errorf("committed %d before the dead letter was written", n)
	}
	readAll(t, cfg.Brokers[0], cfg.UpTopic+cfg.DeadLetterSuffix, 1, 1)
	eventually(t, "the commit", func() bool { return committed(t, k, cfg.UpTopic, "g") == 2 })
	stop()
}

func TestDeadLetterThatIsTooLargeLosesItsBodyOnly(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Consumer.MaxAttempts = 1
	k := open(t, cfg)
	p, _ := produce(t, k)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: cfg.UpTopic + cfg.DeadLetterSuffix, Err: kerr.MessageTooLarge})
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { d.Nack(errors.New("no")) })
	letter := readAll(t, cfg.Brokers[0], cfg.UpTopic+cfg.DeadLetterSuffix, cfg.Partitions, 1)[0]
	if h := headersOf(letter); len(letter.Value) != 0 || h["X-Dead-Body"] != "omitted" || h["X-Dead-Reason"] != "no" {
		t.Errorf("body %q, headers %v", letter.Value, h)
	}
}

func TestConsumerGoesOnAfterFailedFetchesAndCommits(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	k := open(t, cfg)
	p, _ := produce(t, k)
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	j.untilMids(t, 1)
	fetches := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.KafkaStorageError, Count: 10})
	commits := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable, Count: 3})
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true, Count: 1})
	for n := range 50 {
		publish(t, p, rec(cfg.UpTopic, "k", n+1))
	}
	j.untilMids(t, 51)
	eventually(t, "the commit", func() bool { return committed(t, k, cfg.UpTopic, "g") == 51 })
	checkOrder(t, j.all(), 1, 51)
	t.Logf("%d fetches, %d commits, %d heartbeats failed", fetches.Hits(), commits.Hits(), beats.Hits())
}

func TestConsumerEndsWhileTheBrokerIsSilent(t *testing.T) {
	cfg := testConfig(silent(t))
	k := openWithoutTopics(t, cfg)
	_, stop := consume(t, k, cfg.UpTopic, "g", func(context.Context, *Delivery) {})
	time.Sleep(100 * time.Millisecond)
	from := time.Now()
	stop()
	if took := time.Since(from); took > 4500*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

func TestConsumerWithoutItsTopicDoesNotSpin(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	k := openWithoutTopics(t, cfg)
	var joins atomic.Int64
	c.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		joins.Add(1)
		return nil, nil, false
	})
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	time.Sleep(time.Second)
	if n := joins.Load(); n > 12 {
		t.Errorf("%d joins in a second", n)
	}
	if err := k.EnsureTopics(context.Background()); err != nil {
		t.Fatal(err)
	}
	p, _ := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	j.untilMids(t, 1)
}

func TestOnlyConfiguredTopicsAreConsumed(t *testing.T) {
	k := openWithoutTopics(t, testConfig("127.0.0.1:1"))
	if err := k.Consumer("elsewhere", "g").Run(context.Background(), nil); !errors.Is(err, ErrTopic) {
		t.Error(err)
	}
}
