package replica

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"gorm.io/gorm"

	"sluice/pkg/id"
)

// Registry holds the number of this process. Its order of use is New, Register until
// it succeeds, Run, SetState when leaving, Release.
type Registry struct {
	cfg     Config
	ident   Identity
	db      func(ctx context.Context) (*gorm.DB, error)
	log     *elog.Component
	metrics *Metrics
	now     func() time.Time

	// turn is held, by having put something in, by whoever reads or writes the
	// database for this registry, so that an older heartbeat cannot overwrite a
	// newer state. It is no mutex: the wait for it ends with the context. It also
	// guards own, released and sightings.
	turn      chan struct{}
	own       owner
	released  bool
	sightings sightings

	gen     atomic.Pointer[id.Generator] // nil before Register
	number  atomic.Int32
	state   atomic.Pointer[State]
	health  atomic.Pointer[func() (sockets int64, level int)]
	members atomic.Pointer[memberList]
	search  search
}

// New builds a registry for the process that ident describes. db is asked for the
// database at every use, so that it may be opened when it is first there; see
// Database. New does no I/O.
func New(cfg Config, ident Identity, db func(ctx context.Context) (*gorm.DB, error),
	log *elog.Component, metrics *Metrics, now func() time.Time,
) *Registry {
	r := &Registry{
		cfg: cfg, ident: ident, db: db, log: log, metrics: metrics, now: now,
		turn: make(chan struct{}, 1), search: search{wanted: make(chan struct{}, 1), missed: make(map[id.Replica]time.Time)},
	}
	up := StateUp
	r.state.Store(&up)
	r.members.Store(&memberList{})
	return r
}

// Register gets a number and returns the generator of its ids. When it fails the
// caller waits and calls it again; it may have succeeded unseen, which the next call
// finds out. Errors that waiting does not heal soon are a *NumberTakenError,
// ErrExhausted and ErrClock. After success it returns the same generator again.
func (r *Registry) Register(ctx context.Context) (*id.Generator, error) {
	if err := r.ident.check(); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if err := r.takeTurn(ctx); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	defer r.endTurn()
	if gen := r.gen.Load(); gen != nil {
		return gen, nil
	}
	if id.Millis(r.now()) <= 0 {
		return nil, fmt.Errorf("register: %w", ErrClock)
	}
	mine, rows, err := r.claim(ctx)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	r.own = owner{number: mine.ID, epoch: mine.Epoch, boot: mine.Boot}
	gen := id.NewGenerator(id.Replica(mine.ID), id.Window{After: mine.LeaseAfter, Until: mine.LeaseUntil}, r.now)
	r.number.Store(int32(mine.ID))
	r.gen.Store(gen)
	r.metrics.number.Set(float64(mine.ID))
	r.showLease()
	r.observe(replaceRow(rows, mine))
	r.log.Info("registered", elog.Int("replica", mine.ID), elog.String("name", r.ident.Name),
		elog.String("version", r.ident.Version), elog.String("boot", r.ident.Boot), elog.Int64("epoch", mine.Epoch),
		elog.String("leaseAfter", id.Time(mine.LeaseAfter).UTC().Format(time.RFC3339)),
		elog.String("leaseUntil", id.Time(mine.LeaseUntil).UTC().Format(time.RFC3339)))
	return gen, nil
}

// Replica returns the number, 0 before Register has succeeded.
func (r *Registry) Replica() id.Replica { return id.Replica(r.number.Load()) }

// Boot returns the boot id of this process.
func (r *Registry) Boot() string { return r.ident.Boot }

// SetHealth sets where each heartbeat takes the number of sockets and the overload
// level from. It may be called at any time; load must be quick and safe for
// concurrent use.
func (r *Registry) SetHealth(load func() (sockets int64, level int)) { r.health.Store(&load) }

// SetState writes up or draining into the row at once. When the database is away it
// returns an error and the next heartbeat that gets through carries the state.
func (r *Registry) SetState(ctx context.Context, s State) error {
	if s != StateUp && s != StateDraining {
		return fmt.Errorf("set state: %q is not for setting", s)
	}
	r.state.Store(&s)
	if err := r.beat(ctx); err != nil {
		return fmt.Errorf("set state: %w", err)
	}
	return nil
}

func (r *Registry) takeTurn(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another call: %w", context.Cause(ctx))
	}
}

func (r *Registry) endTurn() { <-r.turn }

func (r *Registry) showLease() {
	if gen := r.gen.Load(); gen != nil {
		r.metrics.lease.Set(r.leaseLeft(gen).Seconds())
	}
}

// leaseLeft is for how long ids can be minted if nothing is extended.
func (r *Registry) leaseLeft(gen *id.Generator) time.Duration {
	left := gen.Until() - max(gen.Last(), id.Millis(r.now()))
	return time.Duration(max(left, 0)) * time.Millisecond
}
