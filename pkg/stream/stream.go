package stream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
)

// Stream appends durable messages, hands them to every process that runs it,
// and reads them again for those who come back. All methods may be called at
// once; Run at most once at a time.
type Stream struct {
	cfg    Config
	redis  *eredis.Component
	log    *elog.Component
	m      *Metrics
	shards []shard

	mu   sync.Mutex // guards pos and live
	pos  []Position
	live bool
}

// shard is what a process keeps of one shard.
type shard struct {
	keys shardKeys
	seen atomic.Uint64 // the highest sequence that this process has heard of
}

// Position is a place in the order of a shard.
type Position struct {
	Epoch, Seq uint64
}

// New returns a Stream that uses redis. It does no I/O.
func New(cfg Config, redis *eredis.Component, log *elog.Component, m *Metrics) *Stream {
	s := &Stream{
		cfg:    cfg,
		redis:  redis,
		log:    log,
		m:      m,
		shards: make([]shard, cfg.Shards),
		pos:    make([]Position, cfg.Shards),
	}
	for n := range s.shards {
		s.shards[n].keys = newShardKeys(cfg.Prefix, n)
	}
	return s
}

// Shards returns the number of shards.
func (s *Stream) Shards() int { return len(s.shards) }

// Positions returns for each shard how far Run has handed out messages: all up
// to there have been handled, nothing later has. It is zero for a shard as long
// as Run has not subscribed for the first time.
func (s *Stream) Positions() []Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Position(nil), s.pos...)
}

// Live tells whether Run is subscribed and has caught up. While it is not,
// messages may be late, but they are not lost.
func (s *Stream) Live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

func (s *Stream) setLive(live bool) {
	s.mu.Lock()
	s.live = live
	s.mu.Unlock()
}

func (s *Stream) setPosition(n int, p Position) {
	s.mu.Lock()
	s.pos[n] = p
	s.mu.Unlock()
}

// saw remembers the highest sequence ever heard of. Each script is told it, and
// begins a new epoch when Redis has less: then Redis has lost something.
func (sh *shard) saw(seq uint64) {
	for {
		old := sh.seen.Load()
		if seq <= old || sh.seen.CompareAndSwap(old, seq) {
			return
		}
	}
}

// time starts the clock for an operation and returns the function that stops
// it. Pipelines have no other measurement.
func (s *Stream) time(op string) func(error) {
	start := time.Now()
	return func(err error) {
		s.m.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
		if err != nil && !errors.Is(err, ErrEpoch) && !errors.Is(err, ErrTrimmed) {
			s.m.failures.WithLabelValues(op).Inc()
		}
	}
}

// subscribe opens a subscription. Errors show up when it is read.
func (s *Stream) subscribe(ctx context.Context) *redis.PubSub {
	channels := make([]string, len(s.shards))
	for n := range s.shards {
		channels[n] = s.shards[n].keys.channel
	}
	if cluster := s.redis.Cluster(); cluster != nil {
		return cluster.Subscribe(ctx, channels...)
	}
	return s.redis.Stub().Subscribe(ctx, channels...)
}
