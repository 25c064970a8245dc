package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
	"sluice/pkg/session"
)

// hall is the least that a gateway must show: here one socket.
type hall struct{ client session.Client }

func (h hall) Each(f func(id.Socket) bool) { f(h.client.Socket) }

func (h hall) Lookup(s id.Socket) (session.Client, bool) { return h.client, s == h.client.Socket }

func (h hall) Holds(d id.Doc) bool { return d == h.client.Docs[0] }

func Example() {
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		panic(err)
	}
	defer mini.Close()
	redis := eredis.DefaultContainer().Build(eredis.WithAddr(mini.Addr()))
	defer func() { _ = redis.Stub().Close() }()
	index := session.New(session.DefaultConfig(), redis, elog.DefaultLogger, session.NewMetrics(prometheus.NewRegistry()), time.Now)

	// The gateway holds the socket first and tells the index then.
	minted, err := id.NewGenerator(3, id.Window{Until: id.MaxMillis}, time.Now).Socket()
	if err != nil {
		panic(err)
	}
	client := session.Client{Socket: minted, User: "ann", Docs: []id.Doc{"report"}, Replica: 3, Boot: "b1", Seen: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		lost := func(_ context.Context, c session.Client) error { return nil } // publish its Disconnect
		done <- index.Run(ctx, 3, "b1", hall{client}, lost)
	}()
	if err := index.Add(ctx, client); err != nil {
		panic(err)
	}

	// Any process can ask.
	var members []session.Seen
	for len(members) == 0 { // until the replica is known to live
		if members, _, err = index.OfDoc(ctx, "report", "", 10); err != nil {
			panic(err)
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println(len(members), members[0].Socket == minted)
	replicas, err := index.Nodes(ctx, "report")
	fmt.Println(replicas, err)

	cancel()
	fmt.Println(<-done)
	// Output:
	// 1 true
	// [3] <nil>
	// <nil>
}
