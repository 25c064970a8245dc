package replica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"

	"sluice/migrations"
	"sluice/pkg/id"
)

func TestMain(m *testing.M) {
	if os.Getenv(starterEnv) != "" {
		os.Exit(starter())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // the logger of ego starts two for good
}

// backend is the test's own, empty database. Each handle that it opens is what
// another process would have.
type backend struct{ driver, dsn string }

// eachDatabase runs the test on SQLite, and on MySQL or MariaDB when
// SLUICE_TEST_MYSQL_DSN leads to a server. SLUICE_TEST_REAL=1 makes that server a must.
func eachDatabase(t *testing.T, test func(t *testing.T, b backend)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteBackend(t)) })
	dsn := os.Getenv("SLUICE_TEST_MYSQL_DSN")
	if dsn != "" {
		t.Run("mysql", func(t *testing.T) { test(t, mysqlBackend(t, dsn)) })
	} else if os.Getenv("SLUICE_TEST_REAL") == "1" {
		t.Error("SLUICE_TEST_REAL=1 needs SLUICE_TEST_MYSQL_DSN")
	}
}

func sqliteBackend(t *testing.T) backend {
	return backend{DriverSQLite, filepath.Join(t.TempDir(), "test.db")}
}

func mysqlBackend(t *testing.T, dsn string) backend {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DBName = ""
	admin, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	name := "sluice_replica_" + rand.Text()[:10]
	if _, err := admin.ExecContext(soon(t), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_, err := admin.ExecContext(ctx, "DROP DATABASE "+name)
		if err := errors.Join(err, admin.Close()); err != nil {
			t.Error(err)
		}
	})
	cfg.DBName = name
	return backend{DriverMySQL, cfg.FormatDSN()}
}

func migrate(ctx context.Context, db *sql.DB, driver string) error {
	return migrations.Up(ctx, db, migrations.Dialect(driver))
}

// handle is a new handle that is closed with the test.
func (b backend) handle(t *testing.T) *Database {
	db := NewDatabase(b.driver, b.dsn, migrate)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// table opens the database to look into the table or to change it behind the scenes.
func (b backend) table(t *testing.T) *gorm.DB {
	t.Helper()
	db, err := b.handle(t).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return db.WithContext(soon(t))
}

// clock is a clock that stands until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) step(d time.Duration) { c.nanos.Add(int64(d)) }
func (c *clock) millis() int64        { return id.Millis(c.now()) }

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.CallTimeout = 15 * time.Second // the machine may be slow
	return cfg
}

func named(name, version string) Identity {
	return Identity{Service: "ws-gateway", Name: name, Version: version, Address: name + ".test:9090", Boot: NewBoot()}
}

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithZapCore(zapcore.NewNopCore()))
}

func newRegistry(cfg Config, i Identity, db func(context.Context) (*gorm.DB, error), now func() time.Time) *Registry {
	return New(cfg, i, db, quiet(), NewMetrics(prometheus.NewRegistry()), now)
}

// start registers a process of its own, as restarts and other machines are.
func (b backend) start(t *testing.T, cfg Config, i Identity, c *clock) *Registry {
	t.Helper()
	r := newRegistry(cfg, i, b.handle(t).Open, c.now)
	if _, err := r.Register(soon(t)); err != nil {
		t.Fatal(err)
	}
	return r
}

// soon bounds whatever waits in a test.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mint(t *testing.T, r *Registry) id.Socket {
	t.Helper()
	s, err := r.gen.Load().Socket()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rowOf reads the row of a number.
func (b backend) rowOf(t *testing.T, number id.Replica) row {
	t.Helper()
	found, err := find(b.table(t), int(number))
	if err != nil || found == nil {
		t.Fatalf("row %d: %v, %v", number, found, err)
	}
	return *found
}

// fill makes the table full of rows that somebody once had.
func (b backend) fill(t *testing.T, rowOf func(number int) row) {
	t.Helper()
	rows := []row{}
	for n := range int(id.MaxReplica) + 1 {
		r := rowOf(n)
		r.ID = n
		if r.Name == nil {
			name := fmt.Sprint("old-", n)
			r.Name = &name
		}
		rows = append(rows, r)
	}
	must(t, b.table(t).CreateInBatches(rows, 256).Error)
}
