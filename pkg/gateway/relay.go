package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/stream"
)

// relay takes accepted pushes from Kafka into the streams, where every gateway
// reads them. The gateways share the partitions of ws.down. One goroutine
// appends, in batches, so that the pushes of one target keep their order.
type relay struct {
	gw  *Gateway
	in  chan *bus.Delivery
	max int
}

// errRecord is a record that no relay will ever understand.
var errRecord = errors.New("gateway: bad ws.down record")

func newRelay(g *Gateway) *relay {
	return &relay{gw: g, in: make(chan *bus.Delivery, g.cfg.RelayBatch), max: g.cfg.RelayBatch}
}

// run consumes until ctx ends. What was fetched and not appended by then is
// not acknowledged, and another gateway gets it.
func (r *relay) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	appended := make(chan struct{})
	go func() {
		defer close(appended)
		r.append(ctx)
	}()
	err := r.gw.deps.Downlink.Run(ctx, func(ctx context.Context, d *bus.Delivery) {
		select {
		case r.in <- d:
		case <-ctx.Done():
		}
	})
	cancel()
	<-appended
	if err != nil && parent.Err() == nil {
		return fmt.Errorf("consume pushes: %w", err)
	}
	return nil
}

func (r *relay) append(ctx context.Context) {
	for {
		select {
		case d := <-r.in:
			r.appendBatch(ctx, r.batch(d))
		case <-ctx.Done():
			return
		}
	}
}

// batch takes what has piled up behind d.
func (r *relay) batch(d *bus.Delivery) []*bus.Delivery {
	batch := []*bus.Delivery{d}
	for len(batch) < r.max {
		select {
		case d := <-r.in:
			batch = append(batch, d)
		default:
			return batch
		}
	}
	return batch
}

// appendBatch appends until Redis has taken everything: a Redis that is away
// delays pushes, and must not send them to the dead-letter topic.
func (r *relay) appendBatch(ctx context.Context, batch []*bus.Delivery) {
	items, from := r.items(batch)
	for attempt := 0; len(items) > 0; attempt++ {
		results := r.gw.deps.Stream.AppendMany(ctx, items)
		if ctx.Err() != nil {
			return
		}
		var err error
		if items, from, err = r.settle(items, from, results); err == nil {
			return
		}
		r.gw.m.relayRetries.Inc()
		r.gw.log.Warn("relay: append failed, trying again", elog.Int("pushes", len(items)), elog.FieldErr(err))
		select {
		case <-time.After(relayBackoff(attempt)):
		case <-ctx.Done():
			return
		}
	}
}

// settle acknowledges what was appended, and returns the rest from the first
// failure on: what comes after it in the batch may not overtake it. Appending
// again what succeeded behind it changes nothing, the stream knows its mid.
func (r *relay) settle(items []stream.Item, from []*bus.Delivery, results []stream.Result) ([]stream.Item, []*bus.Delivery, error) {
	for i := range results {
		if err := results[i].Err; err != nil {
			return items[i:], from[i:], err
		}
		from[i].Ack()
		r.gw.m.relayed.Inc()
	}
	return nil, nil, nil
}

// items reads the routing of each record from its key and headers; bodies stay
// as they are. A record without routing is poison.
func (r *relay) items(batch []*bus.Delivery) ([]stream.Item, []*bus.Delivery) {
	items := make([]stream.Item, 0, len(batch))
	from := make([]*bus.Delivery, 0, len(batch))
	for _, d := range batch {
		t, err := id.ParseTarget(d.Key)
		switch {
		case err != nil:
			d.Nack(fmt.Errorf("%w: key: %w", errRecord, err))
		case d.Headers.Mid == 0:
			d.Nack(fmt.Errorf("%w: no X-Mid", errRecord))
		default:
			items = append(items, stream.Item{Target: t, Mid: d.Headers.Mid, Body: d.Body})
			from = append(from, d)
		}
	}
	return items, from
}

// relayBackoff doubles from 50 ms to 2 s, with full jitter.
func relayBackoff(attempt int) time.Duration {
	ceiling := min(50*time.Millisecond<<min(attempt, 6), 2*time.Second)
	return 10*time.Millisecond + rand.N(ceiling)
}
