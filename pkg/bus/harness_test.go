package bus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/pkg/id"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// loopback keeps the embedded brokers off other interfaces.
func loopback(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return net.Listen(network, net.JoinHostPort("127.0.0.1", port))
}

// embedded starts brokers in this process.
func embedded(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(loopback)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testConfig has topics of its own, so that tests can share a broker.
func testConfig(brokers ...string) Config {
	c := DefaultConfig()
	c.Brokers = brokers
	unique := fmt.Sprintf("t%x.", rand.Uint64())
	c.UpTopic, c.DownTopic = unique+"up", unique+"down"
	c.Partitions = 4
	c.Producer.Lanes = 4
	c.Producer.Linger = time.Millisecond
	c.Consumer.CommitInterval = 20 * time.Millisecond
	c.Consumer.Handover = 500 * time.Millisecond
	c.Consumer.SessionTimeout = 6 * time.Second
	c.Consumer.Heartbeat = 100 * time.Millisecond
	c.Consumer.MaxWait = 100 * time.Millisecond
	c.Consumer.RetryBackoff = 10 * time.Millisecond
	return c
}

// open opens cfg and makes its topics.
func open(t testing.TB, cfg Config) *Kafka {
	t.Helper()
	k := openWithoutTopics(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.EnsureTopics(ctx); err != nil {
		t.Fatal(err)
	}
	return k
}

func openWithoutTopics(t testing.TB, cfg Config) *Kafka {
	t.Helper()
	k, err := Open(cfg, quiet, NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// background runs run until stop is called or the test ends, and waits for it.
func background(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

func produce(t testing.TB, k *Kafka) (p *Producer, stop func()) {
	t.Helper()
	return k.Producer(), background(t, k.Producer().Run)
}

func consume(t testing.TB, k *Kafka, topic, group string, handle func(context.Context, *Delivery)) (c *Consumer, stop func()) {
	t.Helper()
	c = k.Consumer(topic, group)
	return c, background(t, func(ctx context.Context) error { return c.Run(ctx, handle) })
}

// log is what handlers were given, in order.
type journal struct {
	mu      sync.Mutex
	entries []*Delivery
	changed chan struct{}
}

func newJournal() *journal { return &journal{changed: make(chan struct{}, 1)} }

func (j *journal) add(d *Delivery) {
	j.mu.Lock()
	j.entries = append(j.entries, d)
	j.mu.Unlock()
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

func (j *journal) all() []*Delivery {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]*Delivery(nil), j.entries...)
}

// until waits for what is written to satisfy enough.
func (j *journal) until(t testing.TB, what string, enough func([]*Delivery) bool) []*Delivery {
	t.Helper()
	timeout := time.After(patience)
	for {
		if all := j.all(); enough(all) {
			return all
		}
		select {
		case <-j.changed:
		case <-timeout:
			t.Fatalf("never came: %s; there are %d deliveries", what, len(j.all()))
		}
	}
}

func (j *journal) untilCount(t testing.TB, n int) []*Delivery {
	t.Helper()
	return j.until(t, fmt.Sprintf("%d deliveries", n), func(all []*Delivery) bool { return len(all) >= n })
}

// untilMids waits for n different message ids.
func (j *journal) untilMids(t testing.TB, n int) []*Delivery {
	t.Helper()
	return j.until(t, fmt.Sprintf("%d messages", n), func(all []*Delivery) bool {
		return len(all) >= n && len(firstOf(all)) >= n
	})
}

// firstOf drops repetitions of a message id, as receivers do.
func firstOf(all []*Delivery) []*Delivery {
	seen := NewDedupe(len(all) + 1)
	var out []*Delivery
	for _, d := range all {
		if !seen.Seen(d.Headers.Mid) {
			out = append(out, d)
		}
	}
	return out
}

// eventually polls, bounded.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// rec is the n-th record of a key. Message ids are n+1 in the key's own range.
func rec(topic, key string, n int) Record {
	var h uint64
	for _, c := range key {
		h = h*131 + uint64(c)
	}
	return Record{
		Topic: topic, Key: key, Body: fmt.Appendf(nil, "%s-%d", key, n),
		Headers: Headers{Mid: id.Message(h%100_000*1_000_000 + uint64(n) + 1), Event: EventMessage},
	}
}

func publish(t testing.TB, p *Producer, recs ...Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, r := range recs {
		if err := p.Publish(ctx, r); err != nil {
			t.Fatalf("publish %s: %v", r.Body, err)
		}
	}
}

// checkOrder fails unless the bodies of each key, made by rec, come 0, 1, 2 ... once
// repetitions are dropped.
func checkOrder(t testing.TB, all []*Delivery, keys, each int) {
	t.Helper()
	next := map[string]int{}
	for _, d := range firstOf(all) {
		want := fmt.Sprintf("%s-%d", d.Key, next[d.Key])
		if string(d.Body) != want {
			t.Fatalf("key %s: got %s, want %s", d.Key, d.Body, want)
		}
		next[d.Key]++
	}
	if len(next) != keys {
		t.Fatalf("%d keys, want %d", len(next), keys)
	}
	for key, n := range next {
		if n != each {
			t.Fatalf("key %s: %d records, want %d", key, n, each)
		}
	}
}

func bodies(all []*Delivery) string {
	var b strings.Builder
	for i, d := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s#%d", d.Body, d.Attempt)
	}
	return b.String()
}

// realKafka returns the address of an Apache Kafka when tests on real services are
// asked for. Then it must be there.
func realKafka(t testing.TB) (address string, wanted bool) {
	if os.Getenv("SLUICE_TEST_REAL") == "" {
		return "", false
	}
	address = os.Getenv("SLUICE_TEST_KAFKA")
	if address == "" {
		t.Fatal("SLUICE_TEST_REAL is set and SLUICE_TEST_KAFKA is not")
	}
	return address, true
}
