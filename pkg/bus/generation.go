package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/segmentio/kafka-go"
)

// generation is the time between two changes of the group, for which this member has
// its partitions for itself. It ends in this order: fetch nothing more, wait for what
// the handler has, tell the handler that it is over, commit.
type generation struct {
	c          *Consumer
	gen        *kafka.Generation
	dead       *deadLetters
	limiter    *limiter
	handle     func(context.Context, *Delivery)
	handlerCtx context.Context
	partitions []*partition

	handed atomic.Int64  // deliveries that are not answered
	idle   chan struct{} // of capacity 1: handed has become zero
}

func (g *generation) answered() {
	if g.handed.Add(-1) == 0 {
		poke(g.idle)
	}
}

// serve works until gctx, the generation, ends.
func (g *generation) serve(gctx context.Context) {
	assigned := g.gen.Assignments[g.c.topic]
	ids := make([]int, len(assigned))
	for i, a := range assigned {
		ids[i] = a.ID
	}
	lines := newLines(g.c.k.sec)
	readers := g.c.k.components.readers(g.c.topic, ids, lines.dialer)
	for i, a := range assigned {
		if err := readers[i].SetOffset(a.Offset); err != nil {
			g.c.log.Error("set the offset", elog.Int("partition", a.ID), elog.FieldErr(err)) // only of a closed reader
		}
		g.partitions = append(g.partitions, newPartition(g, a.ID, readers[i], a.Offset))
	}
	g.c.began(g)
	defer g.c.ended()

	handlerCtx, stopHandlers := context.WithCancel(g.handlerCtx)
	defer stopHandlers()
	g.handlerCtx = handlerCtx
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	var work sync.WaitGroup
	for _, p := range g.partitions {
		work.Go(func() { p.fetch(ctx) })
		work.Go(func() { p.retry(ctx) })
	}
	work.Go(func() { g.watchLag(ctx) })
	g.commitLoop(gctx)

	stop()
	var closing sync.WaitGroup
	closing.Go(func() { g.closeReaders(lines) })
	g.awaitAnswers()
	stopHandlers()
	work.Wait()
	var open int
	for _, p := range g.partitions {
		open += p.end()
	}
	g.c.m.lost.Add(float64(open))
	g.commit()
	closing.Wait()
}

// commitLoop commits now and then until gctx ends.
func (g *generation) commitLoop(gctx context.Context) {
	ticker := time.NewTicker(g.c.cfg.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-gctx.Done():
			return
		case <-ticker.C:
			g.commit()
			g.c.observe()
		}
	}
}

// commit tells the group how far every partition is settled. Kafka refuses it from a
// member that is no longer of the group's generation, so it can do no harm later.
func (g *generation) commit() {
	offsets := map[int]int64{}
	for _, p := range g.partitions {
		if upto, news := p.progress(); news {
			offsets[p.id] = upto
		}
	}
	if len(offsets) == 0 {
		return
	}
	if err := g.gen.CommitOffsets(map[string]map[int]int64{g.c.topic: offsets}); err != nil {
		g.c.m.commitErrors.Inc()
		g.c.log.Warn("commit failed", elog.FieldErr(err))
		return
	}
	for _, p := range g.partitions {
		if upto, ok := offsets[p.id]; ok {
			p.setCommitted(upto)
		}
	}
}

// awaitAnswers gives the handler the time to finish what it has.
func (g *generation) awaitAnswers() {
	timeout := time.NewTimer(g.c.cfg.Handover)
	defer timeout.Stop()
	for g.handed.Load() > 0 {
		select {
		case <-g.idle:
		case <-timeout.C:
			return
		}
	}
}

// closeReaders waits for fetches that are under way, and cuts their connections when
// that takes longer than it may.
func (g *generation) closeReaders(lines *lines) {
	var closing sync.WaitGroup
	for _, p := range g.partitions {
		closing.Go(func() { _ = p.reader.Close() })
	}
	done := make(chan struct{})
	go func() {
		closing.Wait()
		close(done)
	}()
	patience := time.NewTimer(g.c.cfg.MaxWait + 500*time.Millisecond)
	defer patience.Stop()
	for {
		select {
		case <-done:
			return
		case <-patience.C:
			lines.cut()
			patience.Reset(250 * time.Millisecond)
		}
	}
}

// lagEvery is how often the ends of the partitions are asked for. Fetches tell them
// too, but not while the handler holds them up, which is when the lag grows.
const lagEvery = 5 * time.Second

func (g *generation) watchLag(ctx context.Context) {
	if len(g.partitions) == 0 {
		return
	}
	for {
		g.askEnds(ctx)
		if !pauseFor(ctx, lagEvery) {
			return
		}
	}
}

func (g *generation) askEnds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lagEvery)
	defer cancel()
	req := make([]kafka.OffsetRequest, len(g.partitions))
	byID := make(map[int]*partition, len(g.partitions))
	for i, p := range g.partitions {
		req[i] = kafka.LastOffsetOf(p.id)
		byID[p.id] = p
	}
	res, err := g.c.k.admin.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{g.c.topic: req}})
	if err != nil {
		if ctx.Err() == nil {
			g.c.m.lagErrors.Inc()
		}
		return
	}
	for _, end := range res.Topics[g.c.topic] {
		if p := byID[end.Partition]; p != nil && end.Error == nil {
			p.sawEnd(end.LastOffset)
		}
	}
}

// pauseFor waits for d; it returns false when ctx ends first.
func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
