package app

import (
	"context"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"sluice/pkg/api"
	"sluice/pkg/edge"
	"sluice/pkg/id"
	"sluice/pkg/mesh"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/replica"
	"sluice/pkg/session"
	"sluice/pkg/stream"
)

// apiProgram is ws-api: what it is made of, in the order of starting.
type apiProgram struct {
	backbone
	cfg APIConfig

	tls   *edge.TLS // nil without
	calls *stage    // the gRPC port and the subscriptions behind it; ends before the stages of the backbone
}

// newAPIProgram does the work that can fail for reasons that waiting does not
// mend: reading files.
func newAPIProgram(key string, cfg APIConfig, log *elog.Component) (*apiProgram, error) {
	p := &apiProgram{backbone: newBackbone("ws-api", key, log), cfg: cfg}
	if cfg.TLS.CertFile == "" {
		return p, nil
	}
	var err error
	p.tls, err = edge.NewTLS(edge.Files{
		Pairs:      []edge.CertificateConfig{{CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile}},
		MinVersion: "1.2", ClientCAFile: cfg.TLS.ClientCAFile, Protocols: []string{"h2"},
	}, log)
	return p, err
}

func (p *apiProgram) up(ctx context.Context, failed chan<- error) error {
	p.begin(failed, p.cfg.Server.Governor)
	p.calls = newStage(failed)
	ids, err := p.connect(ctx, &p.cfg.ServiceConfig, p.cfg.Server.GRPC.Address())
	if err != nil {
		return err
	}
	return p.open(ids)
}

// open builds the packages on what is there now, and opens the port.
func (p *apiProgram) open(ids *id.Generator) error {
	caller := mesh.NewClient(p.cfg.Mesh, directory{p.registry}, p.log, mesh.NewMetrics(p.reg))
	sessionMetrics := session.NewMetrics(p.reg)
	service, err := api.New(p.cfg.API, api.Deps{
		IDs: ids, Producer: p.producer, Mesh: caller,
		Keys:        stream.New(p.cfg.Stream, p.redis, p.log, stream.NewMetrics(p.reg)),
		Index:       session.New(p.cfg.Session, p.redis, p.log, sessionMetrics, time.Now),
		Revocations: session.NewRevocations(p.cfg.Session, p.redis, sessionMetrics, time.Now),
		Consumer:    func(group string) api.Consumer { return p.kafka.Consumer(p.cfg.Kafka.UpTopic, group) },
		Gone:        mesh.ErrUnknown, Busy: mesh.ErrBusy,
		DownTopic: p.cfg.Kafka.DownTopic, Version: version(), Log: p.log, Metrics: api.NewMetrics(p.reg),
	})
	if err != nil {
		return err
	}
	options := p.cfg.API.Server.ServerOptions()
	if p.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(p.tls.Config())))
	}
	server := newGRPCServer("API port", p.key+"server.grpc", p.cfg.Server.GRPC, p.health, options,
		[]grpc.UnaryServerInterceptor{service.UnaryInterceptor()},
		[]grpc.StreamServerInterceptor{service.StreamInterceptor()})
	sluicev1.RegisterSluiceServer(server.component.Server, service)
	if p.tls != nil {
		p.base.run("certificate", func(ctx context.Context) error { return p.tls.Watch(ctx, p.cfg.TLS.ReloadEvery) })
	}
	p.base.run("registry", p.registry.Run)
	p.base.run("mesh client", caller.Run)
	p.base.run("producer", p.producer.Run)
	p.calls.run("subscriptions", service.Run)
	p.calls.run("API port", server.run)
	p.health.set(stateReady)
	return nil
}

// down leaves in order: subscriptions end so that components go elsewhere, then
// calls, then the producer has nothing left to flush.
func (p *apiProgram) down(ctx context.Context) {
	p.health.set(stateDraining)
	l := leaving{ctx: ctx}
	if p.producer != nil {
		l.step("say so", func(ctx context.Context) error { return p.registry.SetState(ctx, replica.StateDraining) })
		l.step("stop calls", p.calls.stop)
		l.step("flush the producer", p.producer.Flush)
	}
	p.end(&l)
}
