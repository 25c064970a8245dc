package bus

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/elog"
	"github.com/segmentio/kafka-go"
)

// partition is one assigned partition for the time of one generation. Its window holds
// the records from the first unsettled one on, in offset order:
//
//	committed | settled, open, settled, open, open | not fetched
//	          ^ upto                               ^ fetch goes on here
//
// Two goroutines hand records over: fetch takes new ones, retry takes those that were
// refused or held behind a refused one. For one key they take turns, see holdups.
type partition struct {
	g      *generation
	id     int
	reader *ekafka.Consumer
	wake   chan struct{} // of capacity 1: retry has something to look at
	room   chan struct{} // of capacity 1: the window may have room

	mu        sync.Mutex
	window    []*entry // guarded by mu; all of it until the end is guarded by mu
	head      int      // window[:head] is nil
	open      int      // entries of the window that are not settled
	upto      int64    // all before it is settled; negative while unknown
	committed int64
	highWater int64
	inUse     string // key that fetch is handing over
	holdups   holdups
	over      bool // lost: nothing counts any more
}

// windowFactor bounds the window to so many times the entries that may be open: what is
// settled behind an open one would come again after a crash.
const windowFactor = 16

// newPartition begins at the committed offset, or below zero when there is none.
func newPartition(g *generation, id int, reader *ekafka.Consumer, committed int64) *partition {
	return &partition{
		g: g, id: id, reader: reader,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		upto: committed, committed: committed,
		holdups: holdups{cfg: &g.c.cfg, keys: map[string]*holdup{}},
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// fetch hands over new records until ctx ends.
func (p *partition) fetch(ctx context.Context) {
	for failures := 0; p.waitRoom(ctx); {
		msg, _, err := p.reader.FetchMessage(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return
		case err != nil:
			p.g.c.m.fetchErrors.Inc()
			p.g.c.log.Warn("fetch from kafka failed, trying again", elog.Int("partition", p.id), elog.FieldErr(err))
			failures++
			pauseFor(ctx, retryPause(failures))
			continue
		}
		failures = 0
		e := p.entry(&msg)
		if !p.g.limiter.acquire(ctx, e.size) {
			return
		}
		p.take(e, msg.HighWaterMark)
	}
}

// waitRoom waits until the window may grow; it returns false when ctx ends first.
func (p *partition) waitRoom(ctx context.Context) bool {
	for {
		p.mu.Lock()
		limit := p.g.c.cfg.MaxInFlightPartition
		ok := p.open < limit && len(p.window)-p.head < windowFactor*limit
		p.mu.Unlock()
		if ok {
			return ctx.Err() == nil
		}
		select {
		case <-p.room:
		case <-ctx.Done():
			return false
		}
	}
}

// sizeOf is about what a message takes here.
func sizeOf(key, body []byte, headers []kafka.Header) int {
	n := recordOverhead + len(key) + len(body)
	for _, h := range headers {
		n += 8 + len(h.Key) + len(h.Value)
	}
	return n
}

func (p *partition) entry(msg *kafka.Message) *entry {
	headers, err := decodeHeaders(msg.Headers)
	e := &entry{
		raw:  message{key: msg.Key, body: msg.Value, headers: msg.Headers},
		size: sizeOf(msg.Key, msg.Value, msg.Headers),
		rec: Record{
			Topic: msg.Topic, Key: string(msg.Key), Headers: headers, Body: msg.Value,
			Partition: msg.Partition, Offset: msg.Offset, HighWater: msg.HighWaterMark, Time: msg.Time,
		},
	}
	e.key = keyOf(&e.rec)
	if err != nil {
		e.cause, e.reason = causeHeaders, err
	}
	return e
}

// take puts a new record into the window and hands it over, unless its key is held up.
func (p *partition) take(e *entry, highWater int64) {
	now := time.Now()
	p.mu.Lock()
	if p.upto < 0 {
		p.upto, p.committed = e.rec.Offset, e.rec.Offset
	}
	p.highWater = max(p.highWater, highWater)
	p.window = append(p.window, e)
	p.open++
	switch {
	case e.reason != nil:
		p.holdups.bury(e, now)
		p.mu.Unlock()
		poke(p.wake)
		return
	case !p.holdups.admit(e):
		p.mu.Unlock()
		return
	}
	e.attempt = 1
	p.inUse = e.key
	p.mu.Unlock()

	p.g.c.m.delay.Observe(now.Sub(e.rec.Time).Seconds())
	p.handOver(e)

	p.mu.Lock()
	p.inUse = ""
	troubled := len(p.holdups.keys) > 0
	p.mu.Unlock()
	if troubled {
		poke(p.wake)
	}
}

// handOver calls the handler. The time for the answer begins when it returns.
func (p *partition) handOver(e *entry) {
	p.mu.Lock()
	if e.settled { // by a late answer to an earlier attempt
		p.mu.Unlock()
		return
	}
	e.handed, e.deadline = true, time.Time{}
	attempt := e.attempt
	d := NewDelivery(e.rec, attempt, func(reason error) { p.answer(e, attempt, causeNack, reason) })
	p.mu.Unlock()
	p.g.handed.Add(1)

	p.g.handle(p.g.handlerCtx, d)

	p.mu.Lock()
	if e.attempt == attempt {
		e.deadline = time.Now().Add(p.g.c.cfg.AckTimeout)
	}
	p.mu.Unlock()
}

// answer settles e, or takes note of its refusal; a reason of nil is an Ack. An Ack
// counts for whatever attempt, since the work is done; a refusal for the latest only.
func (p *partition) answer(e *entry, attempt int, why cause, reason error) {
	p.mu.Lock()
	if p.over || e.settled || (reason != nil && (attempt != e.attempt || !e.handed)) {
		p.mu.Unlock()
		return
	}
	wasHanded := e.handed
	e.handed = false
	if reason == nil {
		p.holdups.accept(e)
		p.settleLocked(e)
	} else {
		e.cause, e.reason = why, reason
		p.holdups.refuse(e, time.Now())
	}
	troubled := len(p.holdups.keys) > 0
	p.mu.Unlock()

	if reason == nil {
		p.g.c.m.acked.Inc()
		p.released(e)
	}
	if wasHanded {
		p.g.answered()
	}
	if troubled {
		poke(p.wake)
	}
}

// settleLocked is for good: it moves upto over everything that is settled by now.
func (p *partition) settleLocked(e *entry) {
	e.settled = true
	e.rec, e.raw = Record{Offset: e.rec.Offset}, message{} // free the memory now
	p.open--
	for p.head < len(p.window) && p.window[p.head].settled {
		p.upto = p.window[p.head].rec.Offset + 1
		p.window[p.head] = nil
		p.head++
	}
	switch {
	case p.head == len(p.window):
		p.window, p.head = p.window[:0], 0
	case p.head > 1024 && p.head > len(p.window)/2:
		n := copy(p.window, p.window[p.head:])
		clear(p.window[n:])
		p.window, p.head = p.window[:n], 0
	}
}

func (p *partition) released(e *entry) {
	p.g.limiter.release(e.size)
	poke(p.room)
}

// progress returns the offset to commit, if it is news.
func (p *partition) progress() (upto int64, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upto, p.upto > p.committed
}

func (p *partition) setCommitted(upto int64) {
	p.mu.Lock()
	p.committed = max(p.committed, upto)
	p.mu.Unlock()
}

// lag is how many records are not settled, as far as is known.
func (p *partition) lag() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.upto < 0 {
		return 0
	}
	return max(p.highWater-p.upto, 0)
}

// sawEnd takes note of the offset after the last record.
func (p *partition) sawEnd(end int64) {
	p.mu.Lock()
	ahead := p.highWater == 0 && p.upto > end
	p.highWater = max(p.highWater, end)
	upto := p.upto
	p.mu.Unlock()
	if ahead {
		// The log was cut or made anew. kafka-go waits until it has grown that far.
		p.g.c.m.aheadErrors.Inc()
		p.g.c.log.Error("the group has committed more than the partition holds: records up to there are skipped",
			elog.Int("partition", p.id), elog.Int64("committed", upto), elog.Int64("end", end))
	}
}

// end makes everything that comes later count for nothing, and returns how many records
// were not settled.
func (p *partition) end() (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	return p.open
}
