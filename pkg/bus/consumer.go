package bus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
)

// Consumer is a member of a consumer group on one topic.
//
// The group is kafka-go's own, which tells of each generation, and the partitions are
// read through ekafka, one reader each. ekafka's consumer with a group hides when
// partitions come and go, mixes them all in one queue, and takes commits for what it
// has lost.
type Consumer struct {
	k     *Kafka
	cfg   ConsumerConfig
	topic string
	group string
	log   *elog.Component
	m     *consumerMetrics

	mu      sync.Mutex
	current *generation // guarded by mu; nil between two
}

func newConsumer(k *Kafka, topic, group string) *Consumer {
	return &Consumer{
		k: k, cfg: k.cfg.Consumer, topic: topic, group: group,
		log: k.log.With(elog.String("topic", topic), elog.String("group", group)),
		m:   k.m.consumer(topic, group),
	}
}

// Run joins the group and hands records to handle until ctx ends; then it waits for
// what is handed out, for Handover at most, commits, leaves and returns nil. It returns
// an error when it could not even begin.
//
// handle may return before it has settled the delivery with Ack or Nack, and may block
// to slow the consumer down, but not longer than its context, which ends when the
// partition is lost: what is settled later counts no more, and the record comes again,
// here or elsewhere. handle is called by several goroutines at once, for one key never
// by two. A delivery's Body is for reading only.
//
// Only the part of a partition without unsettled records is committed, so nothing is
// skipped; what lies behind an unsettled record may come twice after a restart.
func (c *Consumer) Run(ctx context.Context, handle func(ctx context.Context, d *Delivery)) error {
	if c.topic != c.k.cfg.UpTopic && c.topic != c.k.cfg.DownTopic {
		return fmt.Errorf("consume %s: %w", c.topic, ErrTopic)
	}
	lines := newLines(c.k.sec)
	group, err := kafka.NewConsumerGroup(c.groupConfig(lines.dialer))
	if err != nil {
		return fmt.Errorf("consume %s as %s: %w", c.topic, c.group, err)
	}
	component := c.k.components.build()
	dead := &deadLetters{writer: component.Producer(deadProducer), topic: c.topic + c.k.cfg.DeadLetterSuffix, group: c.group}

	var serving sync.WaitGroup
	for ctx.Err() == nil {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			// Every failed attempt to join ends up here; kafka-go tries again by itself.
			c.m.joinErrors.Inc()
			c.log.Warn("join the group failed, trying again", elog.FieldErr(err))
			pauseFor(ctx, minGeneration)
			continue
		}
		c.m.rebalances.Inc()
		g := &generation{
			c: c, gen: gen, dead: dead, handle: handle,
			handlerCtx: context.WithoutCancel(ctx),
			limiter:    &limiter{maxRecords: c.cfg.MaxInFlight, maxBytes: c.cfg.MaxInFlightBytes},
			idle:       make(chan struct{}, 1),
		}
		serving.Add(1)
		gen.Start(func(gctx context.Context) {
			defer serving.Done()
			g.serve(gctx)
		})
		// Without its topic a group ends as soon as it begins: do not spin.
		pauseFor(ctx, minGeneration)
	}
	c.leave(group, lines)
	serving.Wait()
	if err := dead.writer.Close(); err != nil {
		c.log.Warn("close the writer of dead letters", elog.FieldErr(err))
	}
	return nil
}

// minGeneration is the least time between two generations.
const minGeneration = 250 * time.Millisecond

func (c *Consumer) groupConfig(dialer *kafka.Dialer) kafka.ConsumerGroupConfig {
	return kafka.ConsumerGroupConfig{
		ID:                     c.group,
		Brokers:                c.k.cfg.Brokers,
		Dialer:                 dialer,
		Topics:                 []string{c.topic},
		HeartbeatInterval:      c.cfg.Heartbeat,
		SessionTimeout:         c.cfg.SessionTimeout,
		RebalanceTimeout:       c.cfg.RebalanceTimeout,
		JoinGroupBackoff:       time.Second,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: 10 * time.Second,
		StartOffset:            kafka.FirstOffset,
		Timeout:                5 * time.Second,
	}
}

// leave ends the present generation and leaves the group. kafka-go waits for its
// requests and has no way to call them off, so after a while their connections are cut.
func (c *Consumer) leave(group *kafka.ConsumerGroup, lines *lines) {
	closed := make(chan struct{})
	go func() {
		_ = group.Close() // it has no errors
		close(closed)
	}()
	patience := time.NewTimer(c.cfg.Handover + c.cfg.MaxWait + 2*time.Second)
	defer patience.Stop()
	for {
		select {
		case <-closed:
			return
		case <-patience.C:
			lines.cut()
			patience.Reset(250 * time.Millisecond)
		}
	}
}

// Lag returns how many records of its partitions are not settled yet, handed out or
// not. It may be behind by a few seconds, and is zero between two generations.
func (c *Consumer) Lag() int64 {
	c.mu.Lock()
	g := c.current
	c.mu.Unlock()
	if g == nil {
		return 0
	}
	var lag int64
	for _, p := range g.partitions {
		lag += p.lag()
	}
	return lag
}

func (c *Consumer) began(g *generation) {
	c.mu.Lock()
	c.current = g
	c.mu.Unlock()
	c.m.partitions.Set(float64(len(g.partitions)))
}

func (c *Consumer) ended() {
	c.mu.Lock()
	c.current = nil
	c.mu.Unlock()
	c.m.partitions.Set(0)
	c.observe()
}

// observe sets the gauges.
func (c *Consumer) observe() {
	c.m.lag.Set(float64(c.Lag()))
	c.mu.Lock()
	g := c.current
	c.mu.Unlock()
	held := 0
	if g != nil {
		held = g.limiter.held()
	}
	c.m.inFlight.Set(float64(held))
}

// consumerMetrics are the collectors of one topic and group.
type consumerMetrics struct {
	lag, inFlight, partitions                                                 prometheus.Gauge
	delay                                                                     prometheus.Observer
	acked, buried, lost                                                       prometheus.Counter
	rebalances                                                                prometheus.Counter
	joinErrors, fetchErrors, commitErrors, deadErrors, lagErrors, aheadErrors prometheus.Counter
	redelivered, dead                                                         func(cause) prometheus.Counter
}

func (m *Metrics) consumer(topic, group string) *consumerMetrics {
	step := func(name string) prometheus.Counter { return m.errors.WithLabelValues(topic, group, name) }
	settled := func(outcome string) prometheus.Counter { return m.settled.WithLabelValues(topic, group, outcome) }
	return &consumerMetrics{
		lag:          m.lag.WithLabelValues(topic, group),
		inFlight:     m.inFlight.WithLabelValues(topic, group),
		partitions:   m.partitions.WithLabelValues(topic, group),
		delay:        m.delay.WithLabelValues(topic, group),
		acked:        settled("ack"),
		buried:       settled("dead"),
		lost:         settled("lost"),
		rebalances:   m.rebalances.WithLabelValues(topic, group),
		joinErrors:   step("join"),
		fetchErrors:  step("fetch"),
		commitErrors: step("commit"),
		deadErrors:   step("dead_letter"),
		lagErrors:    step("lag"),
		aheadErrors:  step("ahead"),
		redelivered: func(c cause) prometheus.Counter {
			return m.redelivered.WithLabelValues(topic, group, string(c))
		},
		dead: func(c cause) prometheus.Counter { return m.dead.WithLabelValues(topic, group, string(c)) },
	}
}
