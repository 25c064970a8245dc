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
	start := func(port int) (c *kfake.Cluster) {
		eventually(t, "a port that may be in use meanwhile", func() (ok bool) {
			var err error
			c, err = kfake.NewCluster(kfake.Ports(port), kfake.ListenFn(loopback), kfake.DataDir(dir))
			return err == nil
		})
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
