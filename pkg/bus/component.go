package bus

import (
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/econf"
	"github.com/segmentio/kafka-go"
)

// components builds ekafka components. ekafka takes its settings from EGO's
// configuration and from nowhere else, so they are put there, under a key of our own
// that no file has. Secrets are not among them: they go into transport and dialer.
type components struct {
	cfg *Config
	key string
	// consumers holds the readers that were ever asked for, guarded by building.
	consumers map[string]any
}

// opened counts the uses of components in this process; the first has the plain name,
// which is also a label of EGO's metrics.
var opened atomic.Int64

// building guards our part of EGO's configuration, which is read without a lock, and
// kafka.DefaultDialer.
var building sync.Mutex

func newComponents(cfg *Config) *components {
	key := "sluice_kafka"
	if n := opened.Add(1); n > 1 {
		key += "_" + strconv.FormatInt(n, 10)
	}
	return &components{cfg: cfg, key: key, consumers: map[string]any{}}
}

// section returns the settings in maps that nobody else has: EGO keeps them.
func (c *components) section() map[string]any {
	p := c.cfg.Producer
	producers := map[string]any{
		deadProducer: producerSection("hash", p.WriteTimeout, maxDeadBytes(c.cfg)),
	}
	for i := range p.Lanes {
		producers[laneProducer(i)] = producerSection(carrierBalancer, p.WriteTimeout, 0)
	}
	return map[string]any{
		"debug": false,
		// It would begin a span for every fetch; see the package comment.
		"enableTraceInterceptor": false,
		"client":                 map[string]any{"timeout": 10 * time.Second},
		"producers":              producers,
		"consumers":              maps.Clone(c.consumers),
	}
}

const deadProducer = "dead"

func laneProducer(i int) string { return "lane" + strconv.Itoa(i) }

// carrierBalancer is the name of byCarrier among ekafka's balancers.
const carrierBalancer = "carrier"

// producerSection configures a writer that does one message at a time, at once, and
// tries it once. Repeating is done by the callers: a writer's own repetitions cannot be
// called off, and Close waits for them.
func producerSection(balancer string, timeout time.Duration, bytes int) map[string]any {
	return map[string]any{
		"balancer":     balancer,
		"requiredAcks": int(kafka.RequireAll),
		"maxAttempts":  1,
		"batchSize":    1,
		"batchBytes":   int64(2*bytes + 1<<20),
		"batchTimeout": time.Second, // a batch of one waits for nothing
		"readTimeout":  timeout,
		"writeTimeout": timeout,
		"async":        false,
	}
}

func partitionConsumer(topic string, partition int) string {
	return fmt.Sprintf("%s/%d", topic, partition)
}

// consumerSection configures a reader of one partition without a group.
func (c *components) consumerSection(topic string, partition int) map[string]any {
	return map[string]any{
		"topic":           topic,
		"partition":       partition,
		"minBytes":        1,
		"maxBytes":        fetchBytes,
		"maxWait":         c.cfg.Consumer.MaxWait,
		"readLagInterval": -time.Second, // off: it would start a goroutine per partition
		"readBackoffMin":  50 * time.Millisecond,
		"readBackoffMax":  time.Second,
	}
}

// fetchBytes is the most that one fetch brings; it must hold any single record.
const fetchBytes = 4 << 20

// build returns a new component. Components keep closed producers and consumers for
// ever, so whoever closes one needs a component of its own.
func (c *components) build() *ekafka.Component {
	building.Lock()
	defer building.Unlock()
	return c.buildLocked()
}

func (c *components) buildLocked() *ekafka.Component {
	_ = econf.Apply(map[string]any{c.key: c.section()}) // it never fails
	return ekafka.Load(c.key).Build(ekafka.WithBrokers(c.cfg.Brokers...), ekafka.WithDebug(false),
		ekafka.WithRegisterBalancer(carrierBalancer, byCarrier{}))
}

// readers returns a reader for each of the partitions, which connects through dialer.
func (c *components) readers(topic string, partitions []int, dialer *kafka.Dialer) []*ekafka.Consumer {
	building.Lock()
	defer building.Unlock()
	for _, p := range partitions {
		c.consumers[partitionConsumer(topic, p)] = c.consumerSection(topic, p)
	}
	component := c.buildLocked()

	// A reader takes the default dialer when it is made, and ekafka names no other.
	before := kafka.DefaultDialer
	kafka.DefaultDialer = dialer
	defer func() { kafka.DefaultDialer = before }()

	out := make([]*ekafka.Consumer, len(partitions))
	for i, p := range partitions {
		out[i] = component.Consumer(partitionConsumer(topic, p))
	}
	return out
}
