// Command ws-bench loads a Sluice gateway with Socket.IO clients over WebSocket
// and prints what they cost and how long messages take.
//
//	ws-bench -url ws://127.0.0.1:9000 -governor 127.0.0.1:9003 -api 127.0.0.1:9002 \
//	         -component docs -token ... -sockets 10000 idle latency fanout
//
// The clients connect without a token and join the document "bench": the
// gateway needs auth.anonymous and auth.anonymous_docs for it. Figures of the
// server are those of its own metrics.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// settings is one run.
type settings struct {
	url, governor, api, component, token string

	sockets  int
	connects int // at once
	messages int
	rate     float64
}

const document = "bench"

func main() {
	var s settings
	flag.StringVar(&s.url, "url", "ws://127.0.0.1:9000", "`address` of the gateway")
	flag.StringVar(&s.governor, "governor", "127.0.0.1:9003", "operations `address` of the gateway")
	flag.StringVar(&s.api, "api", "127.0.0.1:9002", "`address` of WS-API")
	flag.StringVar(&s.component, "component", "docs", "`name` of the component that pushes")
	flag.StringVar(&s.token, "token", "", "the component's `secret`")
	flag.IntVar(&s.sockets, "sockets", 1000, "clients to connect")
	flag.IntVar(&s.connects, "connects", 64, "clients that connect at the same time")
	flag.IntVar(&s.messages, "messages", 200, "messages of latency and fanout")
	flag.Float64Var(&s.rate, "rate", 20, "messages per second of latency")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: ws-bench [flags] idle|latency|fanout ...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ws-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, scenarios []string) error {
	known := map[string]func(context.Context, settings, *crowd) error{"idle": idle, "latency": latency, "fanout": fanout}
	for _, name := range scenarios {
		if known[name] == nil {
			return fmt.Errorf("there is no scenario %q", name)
		}
	}
	before, err := serverMemory(ctx, s)
	if err != nil {
		return err
	}
	start := time.Now()
	c, err := connect(ctx, s)
	if err != nil {
		return err
	}
	defer c.close()
	c.memoryBefore = before
	fmt.Printf("%d sockets connected in %v\n", s.sockets, time.Since(start).Round(time.Millisecond))
	for _, name := range scenarios {
		if err := known[name](ctx, s, c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
