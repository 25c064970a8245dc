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
	cfg     *ProducerConfig
	log     *elog.Component
	m       *Metrics
	admin   *ekafka.Client
	topics  map[string]*topic
	writers []*ekafka.Producer // one for each lane
	flights sync.WaitGroup

	// wake tells Run that something has changed; of capacity 1. Nobody does so for a
	// record while Run is about to look by itself: that would wake it for each one.
	wake chan struct{}
	idle atomic.Bool // Run looks when it is told to

	records atomic.Int64
	bytes   atomic.Int64
}

// outcomes are the counters of one topic.
type outcomes struct{ ok, full, timeout, tooLarge, refused prometheus.Counter }

func newProducer(cfg *Config, component *ekafka.Component, log *elog.Component, m *Metrics) *Producer {
	p := &Producer{
		cfg: &cfg.Producer, log: log, m: m, admin: component.Client(),
		topics: map[string]*topic{}, wake: make(chan struct{}, 1),
	}
	for _, name := range cfg.Topics() {
		p.topics[name] = newTopic(p, name, cfg.Producer.Lanes)
	}
	for i := range cfg.Producer.Lanes {
		p.writers = append(p.writers, component.Producer(laneProducer(i)))
	}
	return p
}

// Run works until ctx ends, then takes no more, writes what it has, each record for as
// long as its age allows, closes its connections and returns nil. It ends at most
// MaxAge and two WriteTimeouts after ctx. It cannot be run again.
func (p *Producer) Run(ctx context.Context) error {
	var lanes, watch sync.WaitGroup
	lanes.Go(p.write)
	ended := make(chan struct{})
	watch.Go(func() { p.expire(ended) })

	<-ctx.Done()
	p.each(func(l *lane) { l.close() })
	p.poke()
	lanes.Wait()
	p.flights.Wait()
	close(ended)
	watch.Wait()
	for _, w := range p.writers {
		if err := w.Close(); err != nil {
			p.log.Warn("close a writer", elog.FieldErr(err))
		}
	}
	return nil
}

func (p *Producer) each(f func(*lane)) {
	for _, t := range p.topics {
		for _, l := range t.lanes {
			f(l)
		}
	}
}

func (p *Producer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// write begins writes until the lanes are closed and empty.
func (p *Producer) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.idle.Store(true) // before looking: what comes after the look wakes us
		now := time.Now()
		next, open := p.depart(now)
		if !open {
			return
		}
		if next.IsZero() {
			<-p.wake
			continue
		}
		if next.Sub(now) <= p.cfg.Linger { // or it is for a lane that has failed
			p.idle.Store(false)
		}
		timer.Reset(next.Sub(now))
		select {
		case <-timer.C:
		case <-p.wake:
		}
	}
}

// depart begins the writes that are due.
func (p *Producer) depart(now time.Time) (next time.Time, open bool) {
	for _, t := range p.topics {
		at, o := t.depart(now)
		open = open || o
		if !at.IsZero() {
			next = earlier(next, at)
		}
	}
	return next, open
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
		p.each(func(l *lane) {
			age, n := l.expire(now)
			oldest = max(oldest, age)
			late += n
		})
		if late > 0 {
			p.poke()
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

// Enqueue takes rec and returns at once; it keeps nothing of what rec points to. done is
// called exactly once, later, with what Publish would have returned. When Enqueue itself
// returns an error, nothing was taken and done is never called. done runs on a goroutine
// that writes: it must neither block nor call Publish or Flush.
func (p *Producer) Enqueue(rec Record, done func(error)) error {
	return p.EnqueueFrom(&rec, done)
}

// EnqueueFrom is Enqueue for those who use a record again.
func (p *Producer) EnqueueFrom(rec *Record, done func(error)) error {
	t := p.topics[rec.Topic]
	if t == nil {
		return ErrTopic
	}
	if len(rec.Body) > p.cfg.MaxRecordBytes {
		t.counts.tooLarge.Inc()
		return ErrTooLarge
	}
	u := records.Get().(*unsettled)
	u.rec = appendRecord(u.rec, rec)
	u.hash, u.at, u.done, u.counts = hashOf(keyOfRecord(u.rec)), time.Now(), done, t.counts
	u.size = recordOverhead + len(u.rec)
	if err := p.take(t, u); err != nil {
		recycle(u)
		return err
	}
	return nil
}

func (p *Producer) take(t *topic, u *unsettled) error {
	if u.size > p.cfg.MaxRecordBytes {
		t.counts.tooLarge.Inc()
		return ErrTooLarge
	}
	if !p.reserve(u.size) {
		t.counts.full.Inc()
		return ErrFull
	}
	size := u.size // afterwards it may be another record's
	full, taken := t.lanes[placeOf(u.hash, len(t.lanes))].add(u)
	if !taken {
		p.release(1, size)
		return ErrClosed
	}
	if full || p.idle.Load() && p.idle.CompareAndSwap(true, false) {
		p.poke()
	}
	return nil
}

// Flush returns when everything taken before the call has been settled, or with the
// error of ctx.
func (p *Producer) Flush(ctx context.Context) error {
	var open sync.WaitGroup
	p.each(func(l *lane) {
		open.Add(1)
		l.mark(open.Done)
	})
	all := make(chan struct{})
	go func() {
		open.Wait()
		close(all)
	}()
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

func (p *Producer) release(records, size int) {
	p.records.Add(int64(-records))
	p.bytes.Add(int64(-size))
}

// settle releases records of one topic and tells their owners, once: the caller has
// taken them over from their lane.
func (p *Producer) settle(batch []*unsettled, outcome func(*unsettled) error, now time.Time) {
	var ok, size int
	for _, u := range batch {
		size += u.size
	}
	p.release(len(batch), size)
	for _, u := range batch {
		err := outcome(u)
		switch {
		case err == nil:
			ok++
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
	if ok > 0 {
		batch[0].counts.ok.Add(float64(ok))
	}
}
