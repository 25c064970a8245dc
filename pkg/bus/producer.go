package bus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
)

// Producer writes records with acks from all in-sync replicas. It works while Run does;
// what is taken before waits for it. All methods may be called at once from any
// goroutine.
type Producer struct {
	cfg    *ProducerConfig
	log    *elog.Component
	m      *Metrics
	topics map[string]*outcomes
	lanes  []*lane

	records atomic.Int64
	bytes   atomic.Int64
}

// outcomes are the counters of one topic.
type outcomes struct{ ok, full, timeout, tooLarge, refused prometheus.Counter }

func newProducer(cfg *Config, component *ekafka.Component, log *elog.Component, m *Metrics) *Producer {
	p := &Producer{cfg: &cfg.Producer, log: log, m: m, topics: map[string]*outcomes{}}
	for _, topic := range cfg.Topics() {
		p.topics[topic] = &outcomes{
			ok:       m.produced.WithLabelValues(topic, outcomeOK),
			full:     m.produced.WithLabelValues(topic, outcomeFull),
			timeout:  m.produced.WithLabelValues(topic, outcomeTimeout),
			tooLarge: m.produced.WithLabelValues(topic, outcomeTooLarge),
			refused:  m.produced.WithLabelValues(topic, outcomeRefused),
		}
	}
	for i := range cfg.Producer.Lanes {
		p.lanes = append(p.lanes, newLane(p, component.Producer(laneProducer(i))))
	}
	return p
}

// Run works until ctx ends, then takes no more, writes what it has, each record for as
// long as its age allows, closes its connections and returns nil. It ends at most
// MaxAge and two WriteTimeouts after ctx. It cannot be run again.
func (p *Producer) Run(ctx context.Context) error {
	var lanes, watch sync.WaitGroup
	for _, l := range p.lanes {
		lanes.Go(l.run)
	}
	ended := make(chan struct{})
	watch.Go(func() { p.expire(ended) })

	<-ctx.Done()
	for _, l := range p.lanes {
		l.close()
	}
	lanes.Wait()
	close(ended)
	watch.Wait()
	return nil
}

// expire tells the owners of records that have grown too old, also of those that are
// being written: how long a broker keeps silent must not decide how long a client
// waits.
func (p *Producer) expire(ended <-chan struct{}) {
	ticker := time.NewTicker(max(p.cfg.MaxAge/100, time.Millisecond))
	defer ticker.Stop()
	var late int
	var told time.Time
	for {
		var now time.Time
		select {
		case <-ended:
			p.gauge(0)
			return
		case now = <-ticker.C:
		}
		var oldest time.Duration
		for _, l := range p.lanes {
			age, n := l.expire(now)
			oldest = max(oldest, age)
			late += n
		}
		p.gauge(oldest)
		if late > 0 && now.Sub(told) >= time.Second {
			p.log.Warn("kafka did not acknowledge in time", elog.Int("records", late))
			late, told = 0, now
		}
	}
}

func (p *Producer) gauge(oldest time.Duration) {
	p.m.bufRecords.Set(float64(p.records.Load()))
	p.m.bufBytes.Set(float64(p.bytes.Load()))
	p.m.bufAge.Set(oldest.Seconds())
}

// Publish writes rec and returns after Kafka has acknowledged it. With the end of ctx,
// and with ErrTimeout, the outcome is unknown. ErrFull, ErrTooLarge, ErrTopic and
// ErrClosed mean that nothing was written.
func (p *Producer) Publish(ctx context.Context, rec Record) error {
	done := make(chan error, 1)
	if err := p.Enqueue(rec, func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enqueue takes rec and returns at once; done is called exactly once, later, with what
// Publish would have returned. When Enqueue itself returns an error, nothing was taken
// and done is never called. done runs on a goroutine that writes: it must neither block
// nor call Publish or Flush.
func (p *Producer) Enqueue(rec Record, done func(error)) error {
	topic := p.topics[rec.Topic]
	if topic == nil {
		return ErrTopic
	}
	u := &unsettled{
		topic:   rec.Topic,
		body:    rec.Body,
		headers: encodeHeaders(&rec.Headers),
		at:      time.Now(),
		done:    done,
		counts:  topic,
	}
	if rec.Key != "" {
		u.key = []byte(rec.Key)
	}
	u.size = sizeOf(u.key, u.body, u.headers)
	if u.size > p.cfg.MaxRecordBytes {
		topic.tooLarge.Inc()
		return ErrTooLarge
	}
	if !p.reserve(u.size) {
		topic.full.Inc()
		return ErrFull
	}
	if !p.lanes[laneOf(u.key, len(p.lanes))].add(u) {
		p.release(u.size)
		return ErrClosed
	}
	return nil
}

// Flush returns when everything taken before the call has been settled, or with the
// error of ctx.
func (p *Producer) Flush(ctx context.Context) error {
	var open atomic.Int64
	open.Store(int64(len(p.lanes)))
	all := make(chan struct{})
	for _, l := range p.lanes {
		l.mark(func() {
			if open.Add(-1) == 0 {
				close(all)
			}
		})
	}
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Buffered returns what has been taken and not yet settled.
func (p *Producer) Buffered() (records int, bytes int64) {
	return int(p.records.Load()), p.bytes.Load()
}

// reserve makes room for a record of size, or reports that there is none.
func (p *Producer) reserve(size int) bool {
	if p.records.Add(1) > int64(p.cfg.MaxRecords) {
		p.records.Add(-1)
		return false
	}
	if p.bytes.Add(int64(size)) > int64(p.cfg.MaxBytes) {
		p.bytes.Add(int64(-size))
		p.records.Add(-1)
		return false
	}
	return true
}

func (p *Producer) release(size int) {
	p.records.Add(-1)
	p.bytes.Add(int64(-size))
}

// settle releases u and tells its owner, once: the caller has taken it over from its
// lane.
func (p *Producer) settle(u *unsettled, err error, now time.Time) {
	p.release(u.size)
	switch {
	case err == nil:
		u.counts.ok.Inc()
	case errors.Is(err, ErrTimeout):
		u.counts.timeout.Inc()
	case errors.Is(err, ErrTooLarge):
		u.counts.tooLarge.Inc()
	default:
		u.counts.refused.Inc()
	}
	p.m.wait.Observe(now.Sub(u.at).Seconds())
	if u.done != nil {
		u.done(err)
	}
}
