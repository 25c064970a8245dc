package bus

import (
	"context"

	"github.com/gotomicro/ego/core/elog"
)

// Kafka is one process's access to a Kafka cluster. Make it with Open, take the
// producer and the consumers from it, run those, and Close it after they have ended.
type Kafka struct {
	cfg Config
	log *elog.Component
	m   *Metrics
}

// Open builds everything from cfg and connects to nothing; it reads the TLS files. The
// error tells what is wrong with cfg.
func Open(cfg Config, log *elog.Component, m *Metrics) (*Kafka, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Kafka{cfg: cfg, log: log, m: m}, nil
}

// EnsureTopics creates those of the configured topics that are missing. Topics that
// exist stay as they are. Call it at start-up and repeat it while it fails: brokers may
// refuse to make topics on first use.
func (k *Kafka) EnsureTopics(ctx context.Context) error { return nil }

// Producer returns the process's producer, the same one each time.
func (k *Kafka) Producer() *Producer { return nil }

// Consumer returns a new member of group on topic. A group without a commit starts at
// the oldest record.
func (k *Kafka) Consumer(topic, group string) *Consumer { return nil }

// Close lets the connections go. Producer and consumers must have ended.
func (k *Kafka) Close() error { return nil }
