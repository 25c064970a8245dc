package replica

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"gorm.io/gorm"
)

// running is a registry under Run with a log that can be read and a database that
// can be taken away.
type running struct {
	*Registry
	logs *observer.ObservedLogs
	away atomic.Bool
	end  func() error // ends Run and returns its error
}

var errAway = errors.New("the database is away")

func (b backend) run(t *testing.T, cfg Config, i Identity, c *clock) *running {
	t.Helper()
	cfg.HeartbeatEvery = 2 * time.Millisecond
	core, logs := observer.New(zapcore.DebugLevel)
	log := elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithZapCore(core))
	db := b.handle(t)
	r := &running{logs: logs}
	r.Registry = New(cfg, i, func(ctx context.Context) (*gorm.DB, error) {
		if r.away.Load() {
			return nil, errAway
		}
		return db.Open(ctx)
	}, log, NewMetrics(prometheus.NewRegistry()), c.now)
	_, err := r.Register(soon(t))
	must(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var result error
	go func() {
		defer close(done)
		result = r.Run(ctx)
	}()
	r.end = func() error {
		cancel()
		<-done
		return result
	}
	t.Cleanup(func() { _ = r.end() })
	return r
}

func measured(t *testing.T, m prometheus.Metric) *dto.Metric {
	t.Helper()
	out := new(dto.Metric)
	must(t, m.Write(out))
	return out
}

func TestRunBeatsRenewsAndEndsWithItsContext(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		b.start(t, testConfig(), named("one", "1"), c) // crashes: ids are ahead of the clock
		r := b.run(t, testConfig(), named("one", "1"), c)
		c.step(time.Hour)
		beat := c.now().UnixMilli()
		eventually(t, "heartbeat", func() bool { return b.rowOf(t, r.Replica()).HeartbeatAt == beat })
		until := c.millis() + 24*3600_000
		eventually(t, "renewal", func() bool { return r.gen.Load().Until() == until })
		// Not before 30 s have passed, whatever the number of heartbeats.
		c.step(29 * time.Second)
		beat = c.now().UnixMilli()
		eventually(t, "heartbeat", func() bool { return b.rowOf(t, r.Replica()).HeartbeatAt == beat })
		if got := r.gen.Load().Until(); got != until {
			t.Errorf("renewed early, by %d ms", got-until)
		}
		c.step(time.Second)
		eventually(t, "renewal", func() bool { return r.gen.Load().Until() == until+30_000 })
		b.start(t, testConfig(), named("two", "1"), c)
		eventually(t, "the second member", func() bool { return len(r.Members()) == 2 })
		if err := r.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunRenewsAtOnceAfterTheClockJumpedAhead(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	cfg := testConfig()
	cfg.RenewEvery = 20 * time.Hour // the jump alone must do
	r := b.run(t, cfg, named("one", "1"), c)
	for n := range int64(2) { // the second heartbeat is behind the first round
		r.SetHealth(func() (int64, int) { return n + 1, 0 })
		eventually(t, "heartbeat", func() bool { return b.rowOf(t, r.Replica()).Sockets == n+1 })
	}
	c.step(13 * time.Hour)
	eventually(t, "renewal", func() bool { return r.gen.Load().Until() == c.millis()+24*3600_000 })
}

func TestRunTellsOfATakeover(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.run(t, testConfig(), named("one", "1"), c)
		b.start(t, testConfig(), named("one", "1"), c)
		eventually(t, "the loss is logged", func() bool { return r.logs.FilterMessage("lost the replica number").Len() == 1 })
		if err := r.end(); !errors.Is(err, ErrTakenOver) {
			t.Errorf("Run: %v", err)
		}
		mint(t, r.Registry) // its window stays its own
	})
}

func TestRunServesOnWhileTheDatabaseIsAway(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.run(t, testConfig(), named("one", "1"), c)
		b.start(t, testConfig(), named("two", "1"), c)
		eventually(t, "two members", func() bool { return len(r.Members()) == 2 })
		until := r.gen.Load().Until()

		r.away.Store(true)
		const trouble = "the registry cannot be reached, ids can be minted until the lease ends"
		eventually(t, "a line in the log", func() bool { return r.logs.FilterMessage(trouble).Len() == 1 })
		c.step(59 * time.Second)
		eventually(t, "failures in the metrics", func() bool {
			failures := measured(t, r.metrics.calls.WithLabelValues("heartbeat", "error").(prometheus.Metric))
			return failures.GetHistogram().GetSampleCount() > 0
		})
		if n := r.logs.FilterMessage(trouble).Len(); n != 1 {
			t.Errorf("%d lines within a minute", n)
		}
		c.step(time.Hour)
		eventually(t, "another line, later", func() bool { return r.logs.FilterMessage(trouble).Len() == 2 })
		wantMembers(t, r.Registry, "one", "two")
		mint(t, r.Registry)
		if r.gen.Load().Until() != until {
			t.Error("the lease was extended without the database")
		}
		if err := r.SetState(soon(t), StateDraining); !errors.Is(err, errAway) {
			t.Errorf("SetState: %v", err)
		}
		want := 23*3600.0 - 59
		eventually(t, "the lease runs down in the metrics", func() bool {
			return measured(t, r.metrics.lease).GetGauge().GetValue() == want
		})

		r.away.Store(false)
		eventually(t, "the lease grows again", func() bool { return r.gen.Load().Until() > until })
		eventually(t, "the state arrives late", func() bool { return b.rowOf(t, r.Replica()).State == StateDraining })
		eventually(t, "the end is logged", func() bool { return r.logs.FilterMessage("the registry is reached again").Len() == 1 })
		if err := r.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestReleaseWhileRunning(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	r := b.run(t, testConfig(), named("one", "1"), c)
	must(t, r.Release(soon(t)))
	b.start(t, testConfig(), named("two", "1"), c)
	eventually(t, "members are still seen", func() bool { _, ok := r.Lookup(r.Replica()); return !ok && len(r.Members()) == 1 })
	if got := b.rowOf(t, r.Replica()); got.State != StateGone {
		t.Errorf("row %+v", got)
	}
	if err := r.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A state must not be undone by a heartbeat that was under way when it was set.
func TestStateIsNotOverwrittenByAnEarlierHeartbeat(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	r := b.start(t, testConfig(), named("one", "1"), c)
	db, err := r.db(soon(t))
	must(t, err)
	underWay, goOn := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	must(t, db.Callback().Update().Before("gorm:update").Register("test:hold", func(*gorm.DB) {
		if once.CompareAndSwap(false, true) {
			close(underWay)
			<-goOn
		}
	}))
	early, late := make(chan error, 1), make(chan error, 1)
	go func() { early <- r.beat(t.Context()) }()
	<-underWay
	go func() { late <- r.SetState(t.Context(), StateDraining) }()
	eventually(t, "the state is set", func() bool { return *r.state.Load() == StateDraining })
	close(goOn)
	must(t, <-early)
	must(t, <-late)
	if got := b.rowOf(t, r.Replica()).State; got != StateDraining {
		t.Errorf("state %q", got)
	}
	if err := r.SetState(soon(t), StateGone); err == nil {
		t.Error("gone can be set without a release")
	}
}

func TestWaitForTheTurnEndsWithTheContext(t *testing.T) {
	r := newRegistry(testConfig(), named("one", "1"), nil, newClock().now)
	must(t, r.takeTurn(soon(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Register(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Register: %v", err)
	}
}

// A server that accepts and never answers must not hold Register for ever.
func TestSilentServerIsAnErrorInBoundedTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	db := NewDatabase(DriverMySQL, "u:p@tcp("+listener.Addr().String()+")/sluice", migrate)
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r := newRegistry(testConfig(), named("one", "1"), db.Open, time.Now)
	begin := time.Now()
	if _, err := r.Register(ctx); err == nil || time.Since(begin) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}
