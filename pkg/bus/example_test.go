package bus_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/bus"
	"sluice/pkg/id"
)

func Example() {
	cfg := bus.DefaultConfig()
	cfg.Brokers = []string{"kafka-1:9092", "kafka-2:9092"}
	k, err := bus.Open(cfg, elog.DefaultLogger, bus.NewMetrics(prometheus.DefaultRegisterer))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer k.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := k.EnsureTopics(ctx); err != nil {
		fmt.Println(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- k.Producer().Run(ctx) }()

	up := bus.Up{Namespace: "/", Event: "edit", Args: []byte(`[{"line":7}]`)}
	body, err := up.Append(nil)
	if err != nil {
		fmt.Println(err)
	}
	socket := id.Socket(42)
	rec := bus.Record{
		Topic: cfg.UpTopic, Key: socket.String(), Body: body,
		Headers: bus.Headers{Mid: 1, Socket: socket, Event: bus.EventMessage},
	}
	rec.Headers.Stamp("gateway", time.Now())
	if err := k.Producer().Enqueue(rec, func(err error) { fmt.Println("acknowledged:", err == nil) }); err != nil {
		fmt.Println("busy:", err)
	}

	_ = k.Consumer(cfg.UpTopic, "comments").Run(ctx, func(_ context.Context, d *bus.Delivery) {
		up, err := bus.DecodeUp(d.Body)
		if err != nil {
			d.Nack(err)
			return
		}
		fmt.Println(up.Event, "from", d.Headers.Socket)
		d.Ack()
	})
	<-ended
}

func ExampleDedupe() {
	seen := bus.NewDedupe(100_000)
	for _, mid := range []id.Message{7, 8, 7} {
		fmt.Println(mid == 7, seen.Seen(mid))
	}
	// Output:
	// true false
	// false false
	// true true
}
