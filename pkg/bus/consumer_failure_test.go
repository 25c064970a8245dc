package bus

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
	from := time.Now()
	time.Sleep(time.Second)
	if n, took := joins.Load(), time.Since(from); float64(n) > 12*took.Seconds() {
		t.Errorf("%d joins in %v", n, took)
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
