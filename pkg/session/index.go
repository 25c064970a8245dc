package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// Index is the session index: who is where, kept in Redis. Look-ups work in any
// process. Changes and Run are for the gateway that holds the sockets. All
// methods may be called at once; Run only once at a time.
type Index struct {
	cfg   Config
	redis *eredis.Component
	log   *elog.Component
	m     *Metrics
	now   func() time.Time
	keys  keys
	group *group // what changes go through

	last  atomic.Int64          // the last version given out
	self  atomic.Pointer[local] // set by Run
	view  nodesView
	lists *cache[list]
	cards *cache[int]

	mu    sync.Mutex           // guards dirty
	dirty map[id.Socket]Client // entries in doubt, with what is known for their removal
	flood chan struct{}        // rings when dirty was full: everything is in doubt
}

// local is the process that runs the index.
type local struct {
	Node
	tag   tag
	truth Local
}

// New returns an Index that uses redis. It does no I/O. Pass time.Now as now;
// tests pass their own clock.
func New(cfg Config, redis *eredis.Component, log *elog.Component, m *Metrics, now func() time.Time) *Index {
	i := &Index{
		cfg:   cfg,
		redis: redis,
		log:   log,
		m:     m,
		now:   now,
		keys:  keys{prefix: cfg.Prefix, parts: cfg.Parts},
		group: newGroup(cfg, redis, m),
		dirty: make(map[id.Socket]Client),
		flood: make(chan struct{}, 1),
	}
	i.lists = newCache(cfg, now, list.size)
	i.cards = newCache(cfg, now, func(int) int { return 0 })
	return i
}

// version returns a number that rises with every call, near to the Unix time in
// microseconds. It orders joins and leaves of this process, whatever order they
// reach Redis in, and is a score at the same time.
func (i *Index) version() int64 { return i.versions(1) }

// versions draws several, and returns the last of them.
func (i *Index) versions(n int) int64 {
	for {
		old := i.last.Load()
		v := max(i.now().UnixMicro(), old+int64(n))
		if i.last.CompareAndSwap(old, v) {
			return v
		}
	}
}

// time starts the clock for an operation and returns the function that stops
// it. Pipelines have no other measurement.
func (i *Index) time(op string) func(error) { return i.m.time(op) }

func (m *Metrics) time(op string) func(error) {
	start := time.Now()
	return func(err error) {
		m.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCursor) {
			m.failures.WithLabelValues(op).Inc()
		}
	}
}

// op is an operation that is done at every connect: its metrics are found once.
type op int

const (
	opAdd op = iota
	opRevoked
	ops
)

var opNames = [ops]string{"add", "revoked"}

// took is time without a function for each call: the operation began at start, and
// err is how it has ended.
func (m *Metrics) took(what op, start time.Time, err *error) {
	m.opSeconds[what].Observe(time.Since(start).Seconds())
	if *err != nil {
		m.failures.WithLabelValues(opNames[what]).Inc()
	}
}

// pipe is a pipeline of commands that each use one key: the keys of a socket
// are in different slots of a Redis Cluster.
type pipe struct {
	redis.Pipeliner
	ttl any // ms; boxed once for all commands
}

func (i *Index) pipe() pipe {
	return pipe{Pipeliner: i.redis.Client().Pipeline(), ttl: i.cfg.TTL.Milliseconds()}
}

// exec sends the commands and returns the first error that is one. A key that
// is not there is none.
func (p pipe) exec(ctx context.Context) error {
	if p.Len() == 0 {
		return nil
	}
	cmds, err := p.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func (p pipe) expire(ctx context.Context, key any) { p.Do(ctx, "pexpire", key, p.ttl) }

// enter puts a member into a sorted set, or raises its score, and prolongs the
// set's life.
func (p pipe) enter(ctx context.Context, key string, score int64, member string) {
	p.Do(ctx, "zadd", key, "gt", score, member)
	p.expire(ctx, key)
}
