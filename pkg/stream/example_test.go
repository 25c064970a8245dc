package stream_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
	"sluice/pkg/stream"
)

func Example() {
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		panic(err)
	}
	defer mini.Close()
	redis := eredis.DefaultContainer().Build(eredis.WithAddr(mini.Addr()))
	defer func() { _ = redis.Stub().Close() }()
	s := stream.New(stream.DefaultConfig(), redis, elog.DefaultLogger, stream.NewMetrics(prometheus.NewRegistry()))

	// Every gateway follows.
	ctx, cancel := context.WithCancel(context.Background())
	done, received := make(chan error, 1), make(chan stream.Entry, 10)
	go func() { done <- s.Run(ctx, func(e stream.Entry) { received <- e }) }()
	for !s.Live() {
		time.Sleep(time.Millisecond)
	}

	// Who appends may repeat itself.
	report := id.DocTarget("report")
	first, dup, err := s.Append(ctx, report, 7, []byte("hello"))
	fmt.Println(dup, err)
	_, dup, err = s.Append(ctx, report, 7, []byte("hello"))
	fmt.Println(dup, err)

	e := <-received
	fmt.Printf("%s %s\n", e.Target, e.Body)

	// Who comes back reads what it missed.
	history, err := s.Read(ctx, report, first.Epoch, first.Seq-1)
	fmt.Println(len(history.Entries), err)

	cancel()
	fmt.Println(<-done)
	// Output:
	// false <nil>
	// true <nil>
	// d:report hello
	// 1 <nil>
	// <nil>
}
