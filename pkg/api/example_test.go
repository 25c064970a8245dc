package api_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"sluice/pkg/api"
	"sluice/pkg/bus"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// How a program serves the API. Run ends subscriptions before the gRPC server stops.
func ExampleServer() {
	serve := func(ctx context.Context, kafka *bus.Kafka, deps api.Deps, l net.Listener) error {
		cfg := api.DefaultConfig()
		cfg.Components = []api.ComponentConfig{{
			Name: "docs", Tokens: []string{"a secret of the deployment"}, Methods: []string{"*"},
			Documents: []string{"doc-*"}, Events: []string{"edit", "cursor:*"}, Presence: true,
		}}
		deps.Producer, deps.DownTopic = kafka.Producer(), "ws.down"
		deps.Consumer = func(group string) api.Consumer { return kafka.Consumer("ws.up", group) }
		deps.Log, deps.Metrics = elog.DefaultLogger, api.NewMetrics(prometheus.DefaultRegisterer)

		s, err := api.New(cfg, deps)
		if err != nil {
			return err
		}
		g := grpc.NewServer(append(cfg.Server.ServerOptions(),
			grpc.ChainUnaryInterceptor(s.UnaryInterceptor()),
			grpc.ChainStreamInterceptor(s.StreamInterceptor()))...)
		sluicev1.RegisterSluiceServer(g, s)
		go func() {
			if err := s.Run(ctx); err != nil {
				log.Print(err)
			}
			g.GracefulStop()
		}()
		return g.Serve(l)
	}
	_ = serve
}

// Every problem of a configuration is reported at once.
func ExampleConfig_Validate() {
	cfg := api.DefaultConfig()
	cfg.MaxDeadline = 0
	cfg.Components = []api.ComponentConfig{{Name: "docs", Methods: []string{"Shout"}}}
	fmt.Println(cfg.Validate())
	// Output:
	// max_deadline: must not be below default_deadline
	// component[0].tokens: a token or a certificate is needed
	// component[0].methods[0]: must be "*" or one of Push, PushAll, PushStream, Call, Join, Leave, Kick, GetSocket, ListSockets, CountSockets, Subscribe, Reply, Revoke
}
