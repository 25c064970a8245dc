package replica_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"sluice/migrations"
	"sluice/pkg/replica"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	cfg := replica.DefaultConfig()
	cfg.Driver, cfg.DSN, cfg.Fixed = replica.DriverSQLite, ":memory:", 42
	db := replica.NewDatabase(cfg.Driver, cfg.DSN, func(ctx context.Context, db *sql.DB, driver string) error {
		return migrations.Up(ctx, db, migrations.Dialect(driver))
	})
	defer db.Close()

	registry := replica.New(cfg, replica.Identity{
		Service: "ws-gateway", Name: "gw-1", Version: "1.0.0", Address: "10.0.0.7:9090", Boot: replica.NewBoot(),
	}, db.Open, elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore())),
		replica.NewMetrics(prometheus.NewRegistry()), time.Now)

	ids, err := registry.Register(ctx) // again and again until it succeeds
	if err != nil {
		fmt.Println(err)
		return
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- registry.Run(run) }() // for as long as the process lives

	socket, err := ids.Socket()
	fmt.Println(socket.Replica(), err)
	for _, m := range registry.Members() {
		fmt.Println(m.Service, m.Name, m.Address, m.State)
	}
	stop()
	fmt.Println(<-ended, registry.Release(ctx))
	// Output:
	// 42 <nil>
	// ws-gateway gw-1 10.0.0.7:9090 up
	// <nil> <nil>
}
