package stream

import (
	"context"
	"errors"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// Stream appends durable messages and hands them to every gateway. All methods
// may be called at once.
type Stream struct {
	cfg Config
	log *elog.Component
	m   *Metrics
}

// New returns a Stream that uses redis. It does no I/O.
func New(cfg Config, redis *eredis.Component, log *elog.Component, m *Metrics) *Stream {
	return &Stream{cfg: cfg, log: log, m: m}
}

var errTodo = errors.New("not yet")

// ShardOf returns the shard of a target, from 0.
func (s *Stream) ShardOf(t id.Target) int { return 0 }

// Append adds one message to the history of its target and broadcasts it, once
// for each pair of target and mid: dup tells that it had been appended before.
func (s *Stream) Append(ctx context.Context, t id.Target, mid id.Message, body []byte) (e Entry, dup bool, err error) {
	return Entry{}, false, errTodo
}

// AppendMany appends in one round trip, in the order given.
func (s *Stream) AppendMany(ctx context.Context, items []Item) []Result { return nil }

// Run calls handle with every message of every shard from now on.
func (s *Stream) Run(ctx context.Context, handle func(Entry)) error { return errTodo }

// Read returns the messages to a target after a position.
func (s *Stream) Read(ctx context.Context, t id.Target, epoch, after uint64) (History, error) {
	return History{}, errTodo
}

// Reserve takes an idempotency key.
func (s *Stream) Reserve(ctx context.Context, component, key string, digest [32]byte, mid id.Message) (Reservation, error) {
	return Reservation{}, errTodo
}

// Done reports that the push of a reserved key was accepted.
func (s *Stream) Done(ctx context.Context, component, key string) error { return errTodo }
