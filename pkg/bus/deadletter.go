package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/segmentio/kafka-go"
)

// The headers that a dead letter has besides its own.
const (
	headerDeadReason    = "X-Dead-Reason"    // text of the last refusal
	headerDeadCause     = "X-Dead-Cause"     // nack, timeout, headers
	headerDeadAttempts  = "X-Dead-Attempts"  // decimal
	headerDeadTopic     = "X-Dead-Topic"     // where it comes from
	headerDeadPartition = "X-Dead-Partition" // decimal
	headerDeadOffset    = "X-Dead-Offset"    // decimal
	headerDeadGroup     = "X-Dead-Group"     // who refused it
	headerDeadAt        = "X-Dead-At"        // RFC 3339, UTC
	headerDeadBody      = "X-Dead-Body"      // "omitted": it was too large for the topic
)

const (
	// maxReason bounds the text of a reason.
	maxReason = 512
	// deadOverhead is what the headers above add, generously.
	deadOverhead = 4 << 10
)

// maxDeadBytes is the size of the largest dead letter.
func maxDeadBytes(cfg *Config) int { return cfg.Producer.MaxRecordBytes + deadOverhead }

// message is what a record was in Kafka: key, body and headers as they came.
type message struct {
	key     []byte
	body    []byte
	headers []kafka.Header
}

// deadLetters writes what was refused for good. It keeps all that the record had, so
// that the record can be put back after what ailed it was mended.
type deadLetters struct {
	writer *ekafka.Producer
	topic  string
	group  string
}

// write tries once.
func (d *deadLetters) write(ctx context.Context, e *entry, now time.Time) error {
	err := d.send(ctx, e, now, e.raw.body)
	if errors.Is(err, kafka.MessageSizeTooLarge) {
		// Better a letter without its body than a partition that never moves on.
		err = d.send(ctx, e, now, nil)
	}
	if err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	return nil
}

func (d *deadLetters) send(ctx context.Context, e *entry, now time.Time, body []byte) error {
	msg := &kafka.Message{Topic: d.topic, Key: e.raw.key, Value: body, Headers: d.headers(e, now)}
	if body == nil && len(e.raw.body) > 0 {
		msg.Headers = append(msg.Headers, kafka.Header{Key: headerDeadBody, Value: []byte("omitted")})
	}
	err := d.writer.WriteMessages(ctx, msg)
	var each kafka.WriteErrors
	if errors.As(err, &each) && len(each) == 1 {
		return each[0]
	}
	return err
}

func (d *deadLetters) headers(e *entry, now time.Time) []kafka.Header {
	headers := make([]kafka.Header, 0, len(e.raw.headers)+9)
	for _, h := range e.raw.headers {
		// A dead letter that was put back and refused again tells of the last time.
		if !strings.HasPrefix(h.Key, "X-Dead-") {
			headers = append(headers, h)
		}
	}
	reason := "unknown"
	if e.reason != nil {
		reason = e.reason.Error()
	}
	for _, h := range [...][2]string{
		{headerDeadReason, reason[:min(len(reason), maxReason)]},
		{headerDeadCause, string(e.cause)},
		{headerDeadAttempts, strconv.Itoa(e.attempt)},
		{headerDeadTopic, e.rec.Topic},
		{headerDeadPartition, strconv.Itoa(e.rec.Partition)},
		{headerDeadOffset, strconv.FormatInt(e.rec.Offset, 10)},
		{headerDeadGroup, d.group},
		{headerDeadAt, now.UTC().Format(time.RFC3339Nano)},
	} {
		headers = append(headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	return headers
}
