package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sluice/pkg/bench/swarm"
)

// stock drives a Socket.IO server that has the handlers which package stand
// describes. It counts in all and not for each client: what came twice and
// what is missing could cancel out, which TCP does not let happen.
type stock struct {
	control *swarm.Control
	before  counts
}

// counts is the answer of bench:count.
type counts struct {
	Receipts uint64 `json:"receipts"`
	Ups      uint64 `json:"ups"`
}

const controlTimeout = 10 * time.Second

func newStock(ctx context.Context, t *Target) (*stock, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	secure, err := t.options().config()
	if err != nil {
		return nil, err
	}
	control, err := swarm.DialControl(ctx, t.Servers[0], t.Path, nil, secure)
	if err != nil {
		return nil, err
	}
	d := &stock{control: control}
	if d.before, err = d.count(ctx); err != nil {
		_ = control.Close() // the error is told
		return nil, fmt.Errorf("%s does not answer as a server with the handlers of pkg/bench/stand should: %w", t.Name, err)
	}
	return d, nil
}

func (d *stock) count(ctx context.Context) (counts, error) {
	text, err := d.control.Emit(ctx, "bench:count")
	if err != nil {
		return counts{}, fmt.Errorf("bench:count: %w", err)
	}
	var all []counts
	if err := json.Unmarshal(text, &all); err != nil {
		return counts{}, err
	}
	if len(all) == 0 {
		return counts{}, fmt.Errorf("%s", text)
	}
	return all[0], nil
}

func (d *stock) Push(ctx context.Context, to destination, args json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	var parts []json.RawMessage
	if err := json.Unmarshal(args, &parts); err != nil {
		return err
	}
	all := []any{to.document + to.socket, eventMessage} // one of them, or neither
	for _, p := range parts {
		all = append(all, p)
	}
	_, err := d.control.Emit(ctx, "bench:push", all...)
	return err
}

func (d *stock) Received(ctx context.Context) (received, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	now, err := d.count(ctx)
	return received{receipts: now.Receipts - d.before.Receipts, events: now.Ups - d.before.Ups}, err
}

func (d *stock) Close() error { return d.control.Close() }
