package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/auth"
	"sluice/pkg/edge"
	"sluice/pkg/gateway"
	"sluice/pkg/id"
	"sluice/pkg/mesh"
	"sluice/pkg/replica"
	"sluice/pkg/session"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

// relayGroup is the Kafka consumer group of the gateways: together they take
// each durable push into its stream once.
const relayGroup = "sluice-relay"

// gatewayProgram is ws-gateway: what it is made of, in the order of starting.
type gatewayProgram struct {
	backbone
	cfg    GatewayConfig
	wrap   func(http.Handler) http.Handler // serves more than the gateway on the client port; may be nil
	verify gateway.Verifier                // instead of the configured one; may be nil

	edge     *clientPort
	verifier *auth.Verifier
	index    *session.Index
	gateway  *gateway.Gateway

	sessions *stage // the gateway; ends before the stages of the backbone
}

// newGatewayProgram does the work that can fail for reasons that waiting does
// not mend: reading files, building verifiers.
func newGatewayProgram(key string, cfg GatewayConfig, log *elog.Component) (*gatewayProgram, error) {
	p := &gatewayProgram{backbone: newBackbone(gatewayService, key, log), cfg: cfg}
	var err error
	if p.edge, err = newClientPort(cfg.Edge, p.health, edge.NewMetrics(p.reg), log); err != nil {
		return nil, err
	}
	if p.verifier, err = auth.New(cfg.Auth, log, auth.NewMetrics(p.reg)); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return p, nil
}

func (p *gatewayProgram) up(ctx context.Context, failed chan<- error) error {
	p.begin(failed, p.cfg.Server.Governor)
	p.sessions = newStage(failed)
	p.ports.run("client port", p.edge.run)
	ids, err := p.connect(ctx, &p.cfg.ServiceConfig, p.cfg.Server.Mesh.Address())
	if err != nil {
		return err
	}
	return p.open(ids)
}

// open builds the packages on what is there now, and opens the doors.
func (p *gatewayProgram) open(ids *id.Generator) error {
	meshMetrics := mesh.NewMetrics(p.reg)
	caller := mesh.NewClient(p.cfg.Mesh, directory{p.registry}, p.log, meshMetrics)
	sessionMetrics := session.NewMetrics(p.reg)
	p.index = session.New(p.cfg.Session, p.redis, p.log, sessionMetrics, time.Now)
	var verify gateway.Verifier = p.verifier
	if p.verify != nil {
		verify = p.verify
	}
	p.gateway = gateway.New(p.cfg.Gateway, p.cfg.Transport, gateway.Deps{
		IDs: ids, Verifier: verify, Policy: p.cfg.Auth.Policy(), Uplink: p.producer,
		Revocations: p.index.Revocations(),
		Downlink:    p.kafka.Consumer(p.cfg.Kafka.DownTopic, relayGroup),
		Stream:      stream.New(p.cfg.Stream, p.redis, p.log, stream.NewMetrics(p.reg)),
		Index:       p.index, Mesh: forwarder{caller},
		UpTopic: p.cfg.Kafka.UpTopic, Replica: p.registry.Replica(), Boot: p.boot, Version: version(),
	}, mesh.Forwarded, gateway.NewMetrics(p.reg), transport.NewMetrics(p.reg), p.log)
	p.registry.SetHealth(func() (int64, int) { return p.gateway.Sockets(), 0 })

	callee := mesh.NewServer(p.cfg.Mesh, p.boot, p.gateway, p.log, meshMetrics)
	options, err := p.cfg.Mesh.ServerOptions()
	if err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	server := newGRPCServer("mesh port", p.key+"server.mesh", p.cfg.Server.Mesh, p.health, options, nil, nil)
	callee.Register(server.component.Server)
	p.base.run("registry", p.registry.Run)
	p.base.run("tokens", p.verifier.Run)
	p.base.run("mesh client", caller.Run)
	p.base.run("producer", p.producer.Run)
	p.base.run("session index", func(ctx context.Context) error {
		return p.index.Run(ctx, p.registry.Replica(), p.boot, p.gateway, p.gateway.Lost)
	})
	p.ports.run("mesh server", callee.Run)
	p.sessions.run("gateway", p.gateway.Run)
	p.ports.run("mesh port", server.run)
	var handler http.Handler = p.gateway
	if p.wrap != nil {
		handler = p.wrap(handler)
	}
	p.edge.serve(handler)
	p.health.set(stateReady)
	return nil
}

// down leaves in order: whoever could still send something here stops first,
// and what was accepted is flushed before the connections to the outside end.
func (p *gatewayProgram) down(ctx context.Context) {
	p.health.set(stateDraining)
	l := leaving{ctx: ctx}
	if p.gateway != nil {
		p.gateway.Refuse()
		l.step("say so", func(ctx context.Context) error { return p.registry.SetState(ctx, replica.StateDraining) })
		l.step("send clients away", p.gateway.Drain)
		l.step("stop sessions", p.sessions.stop)
		l.step("flush the producer", p.producer.Flush)
		l.step("leave the index", func(ctx context.Context) error { return p.index.Release(ctx, p.registry.Replica()) })
	}
	p.end(&l)
}
