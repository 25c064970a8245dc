package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/gotomicro/ego/core/elog"
	"gorm.io/gorm"

	"sluice/pkg/id"
)

// beat writes the heartbeat with the state and the load.
func (r *Registry) beat(ctx context.Context) error {
	return r.write(ctx, "heartbeat", func(db *gorm.DB, own owner) error {
		var (
			sockets int64
			level   int
		)
		if load := r.health.Load(); load != nil {
			sockets, level = (*load)()
		}
		return changed(own.of(db).Updates(map[string]any{
			"heartbeat_at": r.now().UnixMilli(), "state": *r.state.Load(), "sockets": sockets, "level": level,
		}))
	})
}

// renew extends the lease. The generator learns of it only after the row has it.
func (r *Registry) renew(ctx context.Context) error {
	defer r.showLease()
	return r.write(ctx, "renew", func(db *gorm.DB, own owner) error {
		gen := r.gen.Load()
		until := r.leaseEnd(r.now(), gen.Last())
		if until <= gen.Until() {
			return nil // the clock went back: what is granted is enough
		}
		// Never lower: an earlier renewal whose answer was lost may arrive late,
		// after this one has been promised to the generator.
		err := changed(own.of(db).Where("lease_until < ?", until).Update("lease_until", until))
		if err == nil {
			gen.Extend(until)
		}
		return err
	})
}

// Release gives the number back as part of leaving: the generator ends for good, and
// the rest of its window is free for the next owner. Run may still be running or
// have ended. On an error the lease stays until it expires, which is safe; calling
// again is too. ErrTakenOver means that there was nothing to give back.
func (r *Registry) Release(ctx context.Context) error {
	gen := r.gen.Load()
	if gen == nil {
		return fmt.Errorf("release: %w", ErrNotRegistered)
	}
	last := gen.Close()
	done, err := r.giveBack(ctx, last)
	if err == nil && !done {
		// The row had been lost and was written again, now it can be released.
		_, err = r.giveBack(ctx, last)
	}
	r.showLease()
	if err != nil {
		return fmt.Errorf("release replica number %d: %w", r.Replica(), err)
	}
	r.log.Info("released", elog.Int("replica", int(r.Replica())),
		elog.String("last", id.Time(last).UTC().Format("2006-01-02T15:04:05.000Z07:00")))
	return nil
}

// giveBack ends our ownership in the row. The epoch rises, so that no late heartbeat
// or renewal of ours can undo it.
func (r *Registry) giveBack(ctx context.Context, last int64) (done bool, err error) {
	done = true // unless the write finds otherwise
	err = r.write(ctx, "release", func(db *gorm.DB, own owner) error {
		err := changed(own.of(db).Updates(map[string]any{
			"state": StateGone, "heartbeat_at": r.now().UnixMilli(), "lease_until": last, "epoch": own.epoch + 1,
			"sockets": 0, "level": 0,
		}))
		if errors.Is(err, errRow) {
			// An earlier call may have succeeded unseen.
			found, findErr := find(db, own.number)
			if findErr == nil && found != nil && found.Boot == own.boot && found.State == StateGone {
				err = nil
			}
		}
		done = err == nil
		r.released = done
		return err
	})
	return done, err
}

// write runs a write of our row, in turn. When the row does not answer to our
// ownership it finds out why: nil means that the row is ours and has what was to be
// written, ErrTakenOver that it is not.
func (r *Registry) write(ctx context.Context, op string, do func(db *gorm.DB, own owner) error) error {
	if err := r.takeTurn(ctx); err != nil {
		return err
	}
	defer r.endTurn()
	if r.gen.Load() == nil {
		return ErrNotRegistered
	}
	if r.released {
		return nil
	}
	return r.call(ctx, op, func(db *gorm.DB) error {
		err := do(db, r.own)
		if errors.Is(err, errRow) {
			return r.confirm(db)
		}
		return err
	})
}

// confirm looks at a row that a write of ours did not find or did not change.
func (r *Registry) confirm(db *gorm.DB) error {
	found, err := find(db, r.own.number)
	switch {
	case err != nil:
		return err
	case found != nil && found.Epoch == r.own.epoch && found.Boot == r.own.boot:
		// MySQL may count a row as not affected when it had these values already.
		r.gen.Load().Extend(found.LeaseUntil)
		return nil
	case found != nil && found.Epoch > r.own.epoch:
		return fmt.Errorf("%w: number %d is in epoch %d of boot %s", ErrTakenOver, found.ID, found.Epoch, found.Boot)
	default:
		return r.reclaim(db, found)
	}
}
