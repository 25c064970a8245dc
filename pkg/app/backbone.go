package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/replica"
)

// backbone is what every service stands on: its number, Redis and Kafka.
type backbone struct {
	service  string
	key      string // prefix of the sections in econf
	governed bool   // somebody else runs the governor of this process
	log      *elog.Component
	reg      prometheus.Registerer
	boot     string // names this start of the process, unlike any other
	health   *health

	// The first stages; those of the service itself end before them.
	ports *stage // governor, and what else answers until the end
	base  *stage // registry, producer, mesh client

	database *replica.Database
	registry *replica.Registry
	redis    *eredis.Component
	kafka    *bus.Kafka
	producer *bus.Producer
}

func newBackbone(service, key string, log *elog.Component) backbone {
	return backbone{
		service: service, key: key, log: log, boot: replica.NewBoot(), health: newHealth(),
		reg: prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, prometheus.DefaultRegisterer),
	}
}

// begin makes the first stages, and opens the operations port.
func (b *backbone) begin(failed chan<- error, cfg GovernorConfig) {
	b.ports, b.base = newStage(failed), newStage(failed)
	if !b.governed {
		b.ports.run("governor", newGovernor(b.key+"server.governor", cfg, b.health).run)
	}
}

// end is the last part of leaving, of whatever connect has come to.
func (b *backbone) end(l *leaving) {
	l.step("stop", b.base.stop)
	if b.registry != nil {
		l.step("release the number", b.registry.Release)
	}
	l.step("close the ports", b.ports.stop)
	l.step("disconnect", b.disconnect)
	l.report(b.log)
}

// connect registers the process and waits for what it needs. address is where
// the others reach it.
func (b *backbone) connect(ctx context.Context, cfg *ServiceConfig, address string) (*id.Generator, error) {
	b.health.await("registry", "redis", "kafka")
	ids, err := b.register(ctx, cfg.Registry, replica.Identity{
		Service: b.service, Name: cfg.Name, Version: version(), Address: address, Boot: b.boot,
	})
	if err != nil {
		return nil, err
	}
	b.health.have("registry")
	b.redis = openRedis(b.key + "redis")
	err = until(ctx, b.log, "redis", func(ctx context.Context) error {
		return redisReady(ctx, b.redis, cfg.Redis.AllowEviction, b.log)
	})
	if err != nil {
		return nil, err
	}
	b.health.have("redis")
	if b.kafka, err = bus.Open(cfg.Kafka, b.log, bus.NewMetrics(b.reg)); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if err := until(ctx, b.log, "kafka", b.kafka.EnsureTopics); err != nil {
		return nil, err
	}
	b.health.have("kafka")
	b.producer = b.kafka.Producer()
	return ids, nil
}

// disconnect ends the connections to the outside, last of all.
func (b *backbone) disconnect(context.Context) error {
	var errs []error
	if b.kafka != nil {
		errs = append(errs, b.kafka.Close())
	}
	if b.redis != nil {
		errs = append(errs, b.redis.Close())
	}
	if b.database != nil {
		errs = append(errs, b.database.Close())
	}
	return errors.Join(errs...)
}

// leaving runs the steps of leaving, each whether or not the one before it
// succeeded, and keeps what went wrong.
type leaving struct {
	ctx  context.Context
	errs []error
}

func (l *leaving) step(what string, do func(context.Context) error) {
	if err := do(l.ctx); err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %w", what, err))
	}
}

func (l *leaving) report(log *elog.Component) {
	if err := errors.Join(l.errs...); err != nil {
		log.Error("did not leave in order", elog.FieldErr(err))
	}
}
