package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/docs"
	"sluice/pkg/embedded"
)

// Dev runs ws-dev and returns its exit code.
func Dev(args []string) int {
	cfg := DefaultDevConfig()
	fs := flag.NewFlagSet("ws-dev", flag.ContinueOnError)
	o := options{}
	fs.StringVar(&cfg.DataDir, "data", cfg.DataDir, "`folder` that keeps Kafka's records and the SQL database over restarts")
	fs.StringVar(&cfg.ClientDir, "client", cfg.ClientDir, "`folder` of the browser client that the page loads")
	fs.StringVar(&cfg.Gateway.Edge.Listen, "listen", cfg.Gateway.Edge.Listen, "`address` for clients and the page")
	if code := o.parse(fs, args); code != nil {
		return *code
	}
	if err := Load(o.config, os.LookupEnv, &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if o.check {
		return printEffective(os.Stdout, &cfg)
	}
	return liveEmbedded(cfg)
}

// liveEmbedded starts the services that the programs need, and runs them.
func liveEmbedded(cfg DevConfig) int {
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
	cfg.embed(services.DSN, services.Redis, services.Kafka)
	return live(&cfg, func(log *elog.Component) (*service, error) {
		p, err := newDevProgram(cfg, log)
		if err != nil {
			return nil, err
		}
		return newService("ws-dev", p, cfg.Gateway.Stop.Timeout+cfg.API.Stop.Timeout, log), nil
	})
}

// devProgram is both services, the example component and its page.
type devProgram struct {
	cfg     DevConfig
	log     *elog.Component
	gateway *gatewayProgram
	api     *apiProgram
	example *stage
}

func newDevProgram(cfg DevConfig, log *elog.Component) (*devProgram, error) {
	p := &devProgram{cfg: cfg, log: log, api: newAPIProgram("api.", cfg.API, log)}
	var err error
	if p.gateway, err = newGatewayProgram("gateway.", cfg.Gateway, log); err != nil {
		return nil, err
	}
	p.api.governed = true // the gateway's governor shows the metrics of both
	p.gateway.wrap = func(gateway http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(cfg.Gateway.Transport.Path, gateway)
		mux.Handle("/", docs.Page(cfg.ClientDir))
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
	p.example.run("example component", func(ctx context.Context) error {
		return docs.Run(ctx, docs.Options{Address: p.cfg.API.Server.GRPC.Address(), Token: p.docsToken(), Log: p.log})
	})
	p.greet(time.Since(start))
	return nil
}

func (p *devProgram) docsToken() string {
	for _, c := range p.cfg.API.API.Components {
		if c.Name == docs.Component {
			return c.Tokens[0]
		}
	}
	return "" // validated to be there
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
		p.cfg.Gateway.Server.Governor.Host, p.cfg.Gateway.Server.Governor.Port, p.docsToken(), api)
}
