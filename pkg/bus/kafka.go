package bus

import (
	"fmt"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/elog"
	"github.com/segmentio/kafka-go"
)

// Kafka is one process's access to a Kafka cluster. Make it with Open, take the
// producer and the consumers from it, run those, and Close it after they have ended.
//
// Several may be open at once; those that name the same brokers must agree on topics,
// TLS and SASL.
type Kafka struct {
	cfg        Config
	sec        security
	log        *elog.Component
	m          *Metrics
	components *components
	admin      *ekafka.Client
	producer   *Producer
}

// Open builds everything from cfg and connects to nothing; it reads the TLS files. The
// error tells what is wrong with cfg.
//
// ekafka gets its settings through EGO's configuration, under the key "sluice_kafka",
// and its TLS and SASL through kafka.DefaultTransport, which Open replaces once by a
// switch that knows the brokers of each Kafka.
func Open(cfg Config, log *elog.Component, m *Metrics) (*Kafka, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open kafka: %w", err)
	}
	sec, err := cfg.security()
	if err != nil {
		return nil, fmt.Errorf("open kafka: %w", err)
	}
	k := &Kafka{cfg: cfg, sec: sec, log: log, m: m}
	if err := transports.acquire(kafka.TCP(cfg.Brokers...), &k.cfg, sec); err != nil {
		return nil, fmt.Errorf("open kafka: %w", err)
	}
	k.components = newComponents(&k.cfg)
	component := k.components.build()
	k.admin = component.Client()
	k.producer = newProducer(&k.cfg, component, log, m)
	return k, nil
}

// Producer returns the process's producer, the same one each time.
func (k *Kafka) Producer() *Producer { return k.producer }

// Consumer returns a new member of group on topic, which must be one of the configured
// ones. A group without a commit starts at the oldest record.
func (k *Kafka) Consumer(topic, group string) *Consumer { return newConsumer(k, topic, group) }

// Close lets the connections go. Producer and consumers must have ended.
func (k *Kafka) Close() error {
	transports.release(kafka.TCP(k.cfg.Brokers...))
	return nil
}
