package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"sluice/pkg/component"
)

// sluice drives Sluice as a component does.
type sluice struct {
	client    *component.Client
	inbox     *inbox
	ephemeral bool
	stop      context.CancelFunc
	subscribe sync.WaitGroup

	mu  sync.Mutex // guards err
	err error      // why nothing is received any more
}

// newSluice connects, and hears what clients send if there will be something.
func newSluice(ctx context.Context, t *Target, s *Scenario, in *inbox) (*sluice, error) {
	client, err := component.Dial(ctx, component.Options{
		Address: t.API, Component: t.Component, Token: t.Token, MaxInFlight: 4096, Workers: 64,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	d := &sluice{client: client, inbox: in, ephemeral: s.Push.Ephemeral, stop: stop}
	if s.Push.Receipts || s.Upstream.Every > 0 && !s.Upstream.Gateway {
		d.subscribe.Go(func() {
			err := client.Subscribe(running, d.hear)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.err = err
		})
	}
	return d, nil
}

// hear handles what a client sent.
func (d *sluice) hear(ctx context.Context, e *component.Event) error {
	if e.Kind() != component.Message {
		return nil
	}
	switch e.Name() {
	case eventReceipt:
		d.inbox.receipt(e.Args())
	case eventUp:
		d.inbox.event(e.Args())
	case eventEcho:
		if d.inbox.event(e.Args()) && e.WantsReply() {
			return e.ReplyPayload(ctx, component.Payload{Args: e.Args()})
		}
	}
	return nil
}

func (d *sluice) Push(ctx context.Context, to destination, args json.RawMessage) error {
	p := component.Push{Event: eventMessage, Payload: component.Payload{Args: args}, Ephemeral: d.ephemeral}
	switch {
	case to.socket != "":
		p.Sockets = []string{to.socket}
	case to.document != "":
		p.Documents = []string{to.document}
	default:
		p.All = true
	}
	_, err := d.client.Push(ctx, p)
	return err
}

func (d *sluice) Received(context.Context) (received, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return received{}, fmt.Errorf("subscription: %w", d.err)
	}
	return d.inbox.received(), nil
}

func (d *sluice) Close() error {
	d.stop()
	d.subscribe.Wait()
	return d.client.Close()
}
