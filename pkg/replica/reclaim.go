package replica

import (
	"errors"
	"fmt"

	"github.com/gotomicro/ego/core/elog"
	"gorm.io/gorm"
)

// reclaim writes our row again after the table has gone back in time: it was lost
// and made anew (found is nil), or restored from a backup of before we registered.
// While the row is wrong a starter could be granted a window that overlaps ours, so
// running processes heal the table with their first heartbeat. If the number has
// gone to somebody in between, nobody knows what he mints, and our generator ends.
func (r *Registry) reclaim(db *gorm.DB, found *row) error {
	now := r.now()
	gen := r.gen.Load()
	mine := r.freshRow(plan{number: r.own.number}, now)
	mine.Epoch = r.own.epoch + 1
	mine.LeaseAfter, mine.LeaseUntil = gen.Last(), r.leaseEnd(now, gen.Until()-spare)
	mine.State = *r.state.Load()

	var err error
	switch {
	case found == nil:
		err = db.Create(&mine).Error
	case r.cfg.living(*found, now):
		err = errRow
	default:
		mine.LeaseUntil = max(mine.LeaseUntil, found.LeaseUntil)
		err = changed(db.Model(&row{}).
			Where("id = ? AND epoch = ? AND lease_until = ?", found.ID, found.Epoch, found.LeaseUntil).
			Select("*").Omit("id").Updates(&mine))
	}
	switch {
	case err == nil:
		r.own.epoch = mine.Epoch
		gen.Extend(mine.LeaseUntil)
		r.log.Warn("the table of replicas went back in time, registered again", elog.Int("replica", mine.ID))
		return nil
	case errors.Is(err, errRow) || errors.Is(err, gorm.ErrDuplicatedKey):
		gen.Close()
		return fmt.Errorf("%w: the table of replicas went back in time", ErrTakenOver)
	default:
		return fmt.Errorf("register again: %w", err)
	}
}
