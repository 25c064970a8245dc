package replica

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"sluice/pkg/id"
)

// attempts bounds the races that one Register runs. With every starter of a full
// table at once, each round still gives numbers to many.
const attempts = 64

// spare is the least id time, in milliseconds, that a lease holds beyond what is
// used already, when the lease is ahead of the clock: 60 million ids.
const spare = int64(time.Minute / time.Millisecond)

// claim chooses a number and makes it ours. It returns the row as it is now.
func (r *Registry) claim(ctx context.Context) (row, []row, error) {
	for attempt := range attempts {
		var (
			mine row
			rows []row
		)
		err := r.call(ctx, "register", func(db *gorm.DB) (err error) {
			if rows, err = all(db); err != nil {
				return err
			}
			now := r.now()
			p, err := r.cfg.choose(rows, r.ident, now, attempt)
			if err != nil {
				return err
			}
			mine, err = r.carryOut(db, p, now)
			return err
		})
		if err == nil {
			return mine, rows, nil
		}
		if !raced(err) {
			return row{}, nil, err
		}
	}
	return row{}, nil, errContention
}

// carryOut executes a plan. It fails with an error that raced knows when the table
// is no longer as it was read.
func (r *Registry) carryOut(db *gorm.DB, p plan, now time.Time) (row, error) {
	if p.adopt {
		return *p.from, nil
	}
	if p.vacate != nil {
		// The name moves, so the number it had must not be inherited any more.
		err := changed(db.Model(&row{}).
			Where("id = ? AND epoch = ?", p.vacate.ID, p.vacate.Epoch).
			Updates(map[string]any{"name": nil, "epoch": p.vacate.Epoch + 1}))
		if err != nil {
			return row{}, fmt.Errorf("vacate number %d: %w", p.vacate.ID, err)
		}
	}
	mine := r.freshRow(p, now)
	if p.from == nil {
		if err := db.Create(&mine).Error; err != nil {
			return row{}, fmt.Errorf("insert number %d: %w", p.number, err)
		}
		return mine, nil
	}
	// lease_until is compared too: the former owner may have extended it since it
	// was read, and our window must begin behind all that he was granted.
	err := changed(db.Model(&row{}).
		Where("id = ? AND epoch = ? AND lease_until = ?", p.number, p.from.Epoch, p.from.LeaseUntil).
		Select("*").Omit("id").Updates(&mine))
	if err != nil {
		return row{}, fmt.Errorf("claim number %d: %w", p.number, err)
	}
	return mine, nil
}

func (r *Registry) freshRow(p plan, now time.Time) row {
	mine := row{
		ID: p.number, Service: r.ident.Service, Name: &r.ident.Name, Version: r.ident.Version,
		Address: r.ident.Address, Boot: r.ident.Boot,
		Epoch:       1,
		HeartbeatAt: now.UnixMilli(), RegisteredAt: now.UnixMilli(),
		State: StateUp,
	}
	if p.from != nil {
		mine.Epoch = p.from.Epoch + 1
		mine.LeaseAfter = p.from.LeaseUntil
	}
	mine.LeaseUntil = r.leaseEnd(now, mine.LeaseAfter)
	return mine
}

// leaseEnd is the end of a lease granted now to somebody who used id time up to
// used. After a crash used may be a day ahead of the clock.
func (r *Registry) leaseEnd(now time.Time, used int64) int64 {
	return min(max(id.Millis(now.Add(r.cfg.LeaseFor)), used+spare), id.MaxMillis)
}
