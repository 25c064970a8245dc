package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// probeTopic has one partition: what was written is then found at its offset.
const probeTopic = "sluice.probe"

// topics are those that the programs expect to find; tests let the broker make
// their own.
var topics = []kafka.TopicConfig{
	{Topic: "ws.up", NumPartitions: 4, ReplicationFactor: 1},
	{Topic: "ws.down", NumPartitions: 4, ReplicationFactor: 1},
	{Topic: "ws.up.dlq", NumPartitions: 1, ReplicationFactor: 1},
	{Topic: "ws.down.dlq", NumPartitions: 1, ReplicationFactor: 1},
	{Topic: probeTopic, NumPartitions: 1, ReplicationFactor: 1},
}

// askKafka makes the topics and sends one record through the broker: an open
// port or an answer about metadata comes before the broker can store anything.
func askKafka(ctx context.Context, address string) (string, error) {
	client := &kafka.Client{Addr: kafka.TCP(address), Timeout: 10 * time.Second}
	made, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return "", fmt.Errorf("create topics: %w", err)
	}
	for topic, err := range made.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return "", fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	// Finding the coordinator makes the offsets topic, which takes its time when
	// the first consumer group asks for it.
	if _, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: "probe", KeyType: kafka.CoordinatorKeyTypeConsumer}); err != nil {
		return "", fmt.Errorf("find the coordinator: %w", err)
	}
	offset, err := roundTrip(ctx, address)
	if err != nil {
		return "", err
	}
	return "answers at " + address + ", record " + strconv.FormatInt(offset, 10) + " written and read", nil
}

func roundTrip(ctx context.Context, address string) (int64, error) {
	conn, err := kafka.DialLeader(ctx, "tcp", address, probeTopic, 0)
	if err != nil {
		return 0, fmt.Errorf("reach the leader: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, err
		}
	}
	body := time.Now().Format(time.RFC3339Nano)
	_, _, offset, _, err := conn.WriteCompressedMessagesAt(nil, kafka.Message{Value: []byte(body)})
	if err != nil {
		return 0, fmt.Errorf("write a record: %w", err)
	}
	if _, err := conn.Seek(offset, kafka.SeekAbsolute); err != nil {
		return 0, err
	}
	message, err := conn.ReadMessage(1 << 16)
	if err != nil {
		return 0, fmt.Errorf("read record %d: %w", offset, err)
	}
	if string(message.Value) != body {
		return 0, fmt.Errorf("record %d is %q, want %q", offset, message.Value, body)
	}
	return offset, nil
}
