package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/pkg/bench/launch"
	"sluice/pkg/component"
	"sluice/pkg/embedded"
)

// secret signs the clients' tokens and is what the component and the mesh are
// known by.
var secret = rand.Text() + rand.Text()

// withToken is Socket.IO of clients that are a user each, with a document.
var withToken = func() dialect {
	d := socketIO
	d.hello = func(client int) string {
		token := launch.AppendToken(nil, secret, uint32(client), time.Now())
		return `40{"token":"` + string(token) + `","documents":["bench-1"]}`
	}
	return d
}()

// product is a gateway, and what it needs: the API in a process of its own, the
// services in this one. Only the gateway is measured.
type product struct {
	dir      string
	services *embedded.Services
	sluice   *launch.Sluice

	component *component.Client
	received  atomic.Int64
	cancel    context.CancelFunc
	subscribe sync.WaitGroup
}

func startProduct(s *settings, secure bool) (server, error) {
	p := &product{}
	if err := p.start(s, secure); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *product) start(s *settings, secure bool) (err error) {
	if p.dir, err = os.MkdirTemp("", "bench-peers-"); err != nil {
		return err
	}
	if p.services, err = embedded.Start(embedded.Options{Partitions: 16}); err != nil {
		return err
	}
	cfg := launch.Options{
		Bin: s.bin, Dir: p.dir, Gateways: 1, Token: secret, Secret: secret,
		Services: launch.Services{Kafka: p.services.Kafka, Redis: p.services.Redis, Driver: p.services.Driver, DSN: p.services.DSN},
		Attr:     &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, // its services die with us, too
	}
	if secure {
		cfg.CertFile, cfg.KeyFile = s.cert, s.key
	}
	if p.sluice, err = launch.Start(context.Background(), cfg); err != nil {
		return err
	}
	return p.listen(p.sluice.API.Address)
}

// listen counts what clients send, as their component.
func (p *product) listen(address string) (err error) {
	p.component, err = component.Dial(context.Background(), component.Options{
		Address: address, Component: launch.Component, Token: secret, Timeout: 20 * time.Second, MaxInFlight: 4096, Workers: 64,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.subscribe.Go(func() {
		_ = p.component.Subscribe(ctx, func(_ context.Context, e *component.Event) error { // what it misses is missed below
			if e.Kind() == component.Message {
				p.received.Add(1)
			}
			return nil
		})
	})
	return nil
}

func (p *product) address() string       { return p.sluice.Gateways[0].Address }
func (p *product) pid() int              { return p.sluice.Gateways[0].PID() }
func (p *product) count() (int64, error) { return p.received.Load(), nil }

// push goes through the API; several through a stream, as they would in volume.
func (p *product) push(times int) error {
	text, err := json.Marshal([]string{strings.Repeat("x", 466)})
	if err != nil {
		return err
	}
	push := component.Push{All: true, Event: "m", Payload: component.Payload{Args: text}}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	if times == 1 {
		_, err := p.component.Push(ctx, push)
		return err
	}
	stream, err := p.component.PushStream(ctx)
	if err != nil {
		return err
	}
	for range times {
		if err := stream.Send(push); err != nil {
			return err
		}
	}
	_, err = stream.Close()
	return err
}

// collect asks for a profile of the heap, before which Go collects, and lets Go
// give back what it has found unused.
func (p *product) collect() error {
	for range 2 {
		if _, err := get(p.sluice.Gateways[0].Operations + "/debug/pprof/heap?gc=1"); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return nil
}

func (p *product) stop() error {
	if p.cancel != nil {
		p.cancel()
		p.subscribe.Wait()
	}
	var err error
	if p.component != nil {
		err = p.component.Close()
	}
	if p.sluice != nil {
		p.sluice.Kill() // it has nothing to save
	}
	if p.services != nil {
		err = errors.Join(err, p.services.Close())
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
