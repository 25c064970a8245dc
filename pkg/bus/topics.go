package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
)

// EnsureTopics creates those of the configured topics that are missing. Topics that
// exist stay as they are. Call it at start-up and repeat it while it fails: brokers may
// refuse to make topics on first use.
func (k *Kafka) EnsureTopics(ctx context.Context) error {
	missing, err := k.missingTopics(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	req := &kafka.CreateTopicsRequest{}
	for _, topic := range missing {
		req.Topics = append(req.Topics, k.topicConfig(topic))
	}
	res, err := k.admin.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for topic, err := range res.Errors {
		// Somebody else was faster, which is as good.
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", topic, err))
		}
	}
	return errors.Join(errs...)
}

func (k *Kafka) missingTopics(ctx context.Context) ([]string, error) {
	res, err := k.admin.Metadata(ctx, &kafka.MetadataRequest{Topics: k.cfg.Topics()})
	if err != nil {
		return nil, fmt.Errorf("look for topics: %w", err)
	}
	var missing []string
	for _, t := range res.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			missing = append(missing, t.Name)
		case t.Error != nil && !errors.Is(t.Error, kafka.LeaderNotAvailable):
			return nil, fmt.Errorf("look for topic %s: %w", t.Name, t.Error)
		}
	}
	return missing, nil
}

func (k *Kafka) topicConfig(topic string) kafka.TopicConfig {
	bytes := k.cfg.Producer.MaxRecordBytes
	if strings.HasSuffix(topic, k.cfg.DeadLetterSuffix) {
		bytes = maxDeadBytes(&k.cfg)
	}
	t := kafka.TopicConfig{Topic: topic, NumPartitions: k.cfg.Partitions, ReplicationFactor: k.cfg.Replication}
	if k.cfg.Replication == 0 {
		t.ReplicationFactor = -1 // the broker's default
	}
	if limit := bytes + batchOverhead; limit > brokerMaxBytes {
		t.ConfigEntries = []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(limit)}}
	}
	return t
}

const (
	// brokerMaxBytes is what a topic takes in one batch unless told otherwise.
	brokerMaxBytes = 1_048_588
	// batchOverhead is what a batch adds to the one record in it, generously.
	batchOverhead = 1 << 10
)
