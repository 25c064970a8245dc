package gateway

import (
	"context"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/stream"
)

// gapEvent tells the members of a document that durable messages may be
// missing before anything later arrives: [{"document":"guid"}]. They reload.
const gapEvent = reservedPrefix + "gap"

// broadcast takes one durable push, or the news of a gap, in the order of its
// stream shard.
func (g *Gateway) broadcast(ctx context.Context, e stream.Entry) {
	if e.Gap != nil {
		g.tellGap(ctx, e.Shard, *e.Gap)
		return
	}
	body, err := bus.DecodePush(e.Body)
	if err != nil {
		g.m.drop(dropDecode)
		g.log.Error("durable push cannot be read", elog.String("mid", e.Mid.String()), elog.FieldErr(err))
		return
	}
	body.Mid, body.Target = e.Mid, e.Target
	p, err := newPush(&body, true, g.m.fannedOut)
	if err != nil {
		g.m.drop(dropDecode)
		g.log.Error("durable push has no target", elog.String("mid", e.Mid.String()), elog.FieldErr(err))
		return
	}
	g.m.pushes.WithLabelValues("durable").Inc()
	if p.within > 0 {
		p.took = nil
		if g.spread.add(p) {
			return
		}
		g.m.spreadFull.Inc()
	}
	if err := g.fanOut(ctx, p, 0, 1); err != nil {
		g.log.Warn("fan-out ended", elog.FieldErr(err))
	}
}

// Deliver takes an ephemeral push from the mesh; false when it was dropped.
func (g *Gateway) Deliver(body []byte) bool {
	b, err := bus.DecodePush(body)
	if err != nil {
		g.m.drop(dropDecode)
		return false
	}
	p, err := newPush(&b, false, g.m.fannedOut)
	if err != nil {
		g.m.drop(dropDecode)
		return false
	}
	g.m.pushes.WithLabelValues("ephemeral").Inc()
	return g.fanOutOrDrop(p)
}

// tellGap tells the members of the documents concerned that something is
// missing that can no longer be read.
func (g *Gateway) tellGap(ctx context.Context, streamShard int, gap stream.Gap) {
	g.m.gaps.WithLabelValues(string(gap.Reason)).Inc()
	g.log.Error("gap in the broadcast", elog.Int("shard", streamShard), elog.String("reason", string(gap.Reason)),
		elog.Any("from", gap.From), elog.Any("to", gap.To))
	docs := g.documentsOf(streamShard)
	if gap.Target.Kind == id.KindDoc {
		docs = []id.Doc{id.Doc(gap.Target.Name)}
	}
	for _, doc := range docs {
		args := append(appendJSONString([]byte(`[{"document":`), string(doc)), "}]"...)
		b := bus.Push{Target: id.DocTarget(doc), Namespace: mainSpace, Event: gapEvent, Args: args}
		p, err := newPush(&b, true, nil)
		if err != nil {
			continue // a document target has nothing to parse
		}
		if err := g.fanOut(ctx, p, 0, 1); err != nil {
			g.log.Warn("gap notice ended", elog.FieldErr(err))
			return
		}
	}
}

// documentsOf lists the documents of a stream shard with members here.
func (g *Gateway) documentsOf(streamShard int) []id.Doc {
	seen := make(map[id.Doc]struct{})
	for _, s := range g.shards {
		s.mu.Lock()
		s.docs.each(func(r *room) {
			if d := id.Doc(r.name); g.deps.Stream.ShardOf(id.DocTarget(d)) == streamShard {
				seen[d] = struct{}{}
			}
		})
		s.mu.Unlock()
	}
	docs := make([]id.Doc, 0, len(seen))
	for d := range seen {
		docs = append(docs, d)
	}
	return docs
}
