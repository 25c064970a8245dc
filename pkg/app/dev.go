package app

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/docs"
	"sluice/pkg/embedded"
	"sluice/pkg/transport"
)

// Dev runs ws-dev and returns its exit code.
func Dev(args []string) int {
	cfg := DefaultDevConfig()
	fs := flag.NewFlagSet("ws-dev", flag.ContinueOnError)
	o := options{}
	data := fs.String("data", "", "`folder` that keeps Kafka's records and the SQL database over restarts")
	client := fs.String("client", "", "`folder` of the browser client that the page loads")
	listen := fs.String("listen", "", "`address` for clients and the page; localhost is both loopbacks")
	component := fs.String("component", devDocs, "`name` of the component to run: docs, the example with its page, or echo, for protocol suites")
	var echo echoFlags
	echo.register(fs)
	if code := o.parse(fs, args); code != nil {
		return *code
	}
	if err := Load(o.config, os.LookupEnv, &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.DataDir, cfg.ClientDir = cmp.Or(*data, cfg.DataDir), cmp.Or(*client, cfg.ClientDir)
	services, err := loadDev(cfg, *component)
	if err == nil {
		err = echo.apply(&services.Gateway)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	services.Gateway.Edge.Listen = cmp.Or(*listen, services.Gateway.Edge.Listen)
	if o.check {
		return max(printEffective(os.Stdout, &cfg), printEffective(os.Stdout, &services))
	}
	return liveEmbedded(cfg, services)
}

// liveEmbedded starts the services that the programs need, and runs them.
func liveEmbedded(cfg DevConfig, s devServices) int {
	services, err := embedded.Start(embedded.Options{Dir: cfg.DataDir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := services.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	s.embed(services.DSN, services.Redis, services.Kafka)
	return live("gateway.", &s, func(log *elog.Component) (*service, error) {
		p, err := newDevProgram(cfg, s, log)
		if err != nil {
			return nil, err
		}
		return newService("ws-dev", p, s.Gateway.Stop.Timeout+s.API.Stop.Timeout, log), nil
	})
}

// devProgram is both services, the example component and its page.
type devProgram struct {
	cfg     devServices
	log     *elog.Component
	gateway *gatewayProgram
	api     *apiProgram
	raw     *transport.Server // of the echo; nil without it
	example *stage
}

func newDevProgram(cfg DevConfig, s devServices, log *elog.Component) (*devProgram, error) {
	p := &devProgram{cfg: s, log: log}
	var err error
	if p.api, err = newAPIProgram("api.", s.API, log); err != nil {
		return nil, err
	}
	if p.gateway, err = newGatewayProgram("gateway.", s.Gateway, log); err != nil {
		return nil, err
	}
	p.api.governed = true // the gateway's governor shows the metrics of both
	if s.component == devEcho {
		p.raw = newRawEcho(s.Gateway.Transport, prometheus.DefaultRegisterer, log)
		p.gateway.verify = everybody{}
	}
	p.gateway.wrap = func(gateway http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(s.Gateway.Transport.Path, gateway)
		if p.raw != nil {
			mux.Handle(echoPath, p.raw)
		} else {
			mux.Handle("/", docs.Page(cfg.ClientDir))
		}
		return mux
	}
	return p, nil
}

func (p *devProgram) up(ctx context.Context, failed chan<- error) error {
	p.example = newStage(failed)
	start := time.Now()
	ups := make(chan error, 2)
	go func() { ups <- p.gateway.up(ctx, failed) }()
	go func() { ups <- p.api.up(ctx, failed) }()
	if err := errors.Join(<-ups, <-ups); err != nil {
		return err
	}
	if p.raw != nil {
		p.example.run("raw echo", p.raw.Run)
		p.example.run("echo component", p.runEcho)
		fmt.Printf("Sluice echoes (%v): http://%s%s and %s\n", time.Since(start).Round(time.Millisecond),
			p.cfg.Gateway.Edge.Listen, p.cfg.Gateway.Transport.Path, echoPath)
		return nil
	}
	p.example.run("example component", func(ctx context.Context) error {
		return docs.Run(ctx, docs.Options{Address: p.cfg.API.Server.GRPC.Address(), Token: p.cfg.componentToken(devDocs), Log: p.log})
	})
	p.greet(time.Since(start))
	return nil
}

func (p *devProgram) down(ctx context.Context) {
	if p.example != nil {
		if err := p.example.stop(ctx); err != nil {
			p.log.Error("example component", elog.FieldErr(err))
		}
	}
	p.gateway.down(ctx) // first: the API still takes what clients send meanwhile
	p.api.down(ctx)
}

func (p *devProgram) greet(after time.Duration) {
	api := p.cfg.API.Server.GRPC.Address()
	fmt.Printf(`Sluice is ready (%v).

  page     http://%s/
  API      %s (gRPC, with reflection)
  metrics  http://%s:%d/metrics

Open the page in two windows, then push a comment to its document:

  grpcurl -plaintext -H 'sluice-component: docs' -H 'sluice-token: %s' \
    -d '{"documents":["welcome"],"event":{"name":"docs:comment","args":"[{\"from\":\"grpcurl\",\"text\":\"hello\"}]"}}' \
    %s sluice.v1.Sluice/Push

Ctrl-C ends it.
`, after.Round(time.Millisecond), p.cfg.Gateway.Edge.Listen, api,
		p.cfg.Gateway.Server.Governor.Host, p.cfg.Gateway.Server.Governor.Port, p.cfg.componentToken(devDocs), api)
}
