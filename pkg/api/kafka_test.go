package api

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/redistest"
	"sluice/pkg/stream"
)

// testKafka is a Kafka cluster of one broker.
type testKafka struct {
	t       testing.TB
	cluster *kfake.Cluster
	bus     *bus.Kafka
	cfg     bus.Config
}

func newKafka(t testing.TB, partitions int32, change ...func(*bus.Config)) *testKafka {
	t.Helper()
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.SeedTopics(partitions, "ws.up", "ws.down", "ws.up.dlq", "ws.down.dlq"),
		kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, "127.0.0.1:0") }),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := bus.DefaultConfig()
	cfg.Brokers = cluster.ListenAddrs()
	cfg.Partitions = int(partitions)
	cfg.Producer.Lanes = 4
	cfg.Consumer.MaxWait = 50 * time.Millisecond
	cfg.Consumer.Handover = 300 * time.Millisecond
	cfg.Consumer.CommitInterval = 20 * time.Millisecond
	cfg.Consumer.Heartbeat = 100 * time.Millisecond
	for _, f := range change {
		f(&cfg)
	}
	k := &testKafka{t: t, cluster: cluster, cfg: cfg, bus: openBus(t, cfg)}
	return k
}

func openBus(t testing.TB, cfg bus.Config) *bus.Kafka {
	t.Helper()
	k, err := bus.Open(cfg, quiet, bus.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- k.Producer().Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ran
		_ = k.Close()
	})
	return k
}

func (k *testKafka) consumer(group string) Consumer { return k.bus.Consumer(k.cfg.UpTopic, group) }

// down reads what was pushed, until the test ends.
func (k *testKafka) down() <-chan bus.Record { return k.read(k.cfg.DownTopic) }

func (k *testKafka) read(topic string) <-chan bus.Record {
	out := make(chan bus.Record, 100_000)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() {
		ran <- k.bus.Consumer(topic, "reader-"+topic).Run(ctx, func(_ context.Context, d *bus.Delivery) {
			out <- d.Record
			d.Ack()
		})
	}()
	k.t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			k.t.Errorf("read %s: %v", topic, err)
		}
	})
	return out
}

// dead returns the headers of the dead letters of client events.
func (k *testKafka) dead() <-chan map[string]string {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.cfg.Brokers...), kgo.ConsumeTopics(k.cfg.UpTopic+k.cfg.DeadLetterSuffix))
	if err != nil {
		k.t.Fatal(err)
	}
	out, done := make(chan map[string]string, 100), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				letter := map[string]string{}
				for _, h := range r.Headers {
					letter[h.Key] = string(h.Value)
				}
				out <- letter
			})
		}
	}()
	k.t.Cleanup(func() {
		cancel()
		<-done
		client.Close()
	})
	return out
}

// up writes one client event and waits until Kafka has it.
func (k *testKafka) up(rec bus.Record) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.bus.Producer().Publish(ctx, rec); err != nil {
		k.t.Fatal(err)
	}
}

// clientEvent is a record of ws.up as a gateway writes it.
func clientEvent(mid id.Message, socket id.Socket, event string, change ...func(h *bus.Headers, up *bus.Up)) bus.Record {
	h := bus.Headers{Mid: mid, Socket: socket, User: "user-1", Event: bus.EventMessage, Operator: bus.OperatorInner}
	up := bus.Up{Namespace: "/", Event: event, Args: fmt.Appendf(nil, "[%d]", mid), Boot: "boot-1", Replica: 1}
	for _, f := range change {
		f(&h, &up)
	}
	body, _ := up.Append(nil)
	return bus.Record{Topic: "ws.up", Key: socket.String(), Headers: h, Body: body}
}

// newRedis returns a Redis on loopback and a client of it.
func newRedis(t testing.TB) (*miniredis.Miniredis, *eredis.Component) {
	t.Helper()
	mini := miniredis.RunT(t)
	return mini, newClient(t, mini)
}

func newClient(t testing.TB, mini *miniredis.Miniredis) *eredis.Component {
	t.Helper()
	return redistest.Connect(t, mini.Addr(), eredis.WithStub())
}

// withKeys gives the world idempotency keys in a Redis.
func withKeys(w *world) { w.redis() }

// redis gives the world a Redis, once.
func (w *world) redis() *miniredis.Miniredis {
	mini, c := newRedis(w.t)
	w.deps.Keys = stream.New(stream.DefaultConfig(), c, quiet, stream.NewMetrics(prometheus.NewRegistry()))
	return mini
}

func describePushes(pushes []bus.Push) string {
	var out []string
	for _, p := range pushes {
		out = append(out, p.Target.String()+"="+p.Event)
	}
	return strings.Join(out, " ")
}
