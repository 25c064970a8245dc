package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"sluice/pkg/id"
)

// row is one line of the table replicas. Times are Unix milliseconds, the lease is
// in id time.
type row struct {
	ID      int `gorm:"primaryKey;autoIncrement:false"` // 0 is a number like others
	Service string
	Name    *string // nil: nobody can inherit the number
	Version string
	Address string
	Boot    string

	Epoch        int64 // raised whenever the number changes hands
	LeaseAfter   int64
	LeaseUntil   int64
	HeartbeatAt  int64
	RegisteredAt int64

	State   State
	Sockets int64
	Level   int
}

// TableName is read by gorm.
func (row) TableName() string { return "replicas" }

func (r row) identity() Identity {
	i := Identity{Service: r.Service, Version: r.Version, Address: r.Address, Boot: r.Boot}
	if r.Name != nil {
		i.Name = *r.Name
	}
	return i
}

func (r row) member() Member {
	return Member{
		Replica: id.Replica(r.ID), Identity: r.identity(), State: r.State,
		Sockets: r.Sockets, Level: r.Level, HeartbeatAt: time.UnixMilli(r.HeartbeatAt),
	}
}

// named tells whether i inherits the row.
func (r row) named(i Identity) bool {
	return r.Name != nil && *r.Name == i.Name && r.Service == i.Service && r.Version == i.Version
}

// owner is what identifies one ownership of a number. Every write of the owner asks
// for it, so that a write which arrives late, from before the number changed hands,
// changes nothing.
type owner struct {
	number int
	epoch  int64
	boot   string
}

func (o owner) of(db *gorm.DB) *gorm.DB {
	return db.Model(&row{}).Where("id = ? AND epoch = ? AND boot = ?", o.number, o.epoch, o.boot)
}

// errRow means that a compare-and-set did not find the row as it was read.
var errRow = errors.New("the row has changed")

// changed turns the result of a compare-and-set into an error.
func changed(result *gorm.DB) error {
	if result.Error != nil {
		return result.Error
	}
	if result.RowsAffected != 1 {
		return errRow
	}
	return nil
}

// find reads one row, nil when there is none.
func find(db *gorm.DB, number int) (*row, error) {
	var rows []row
	if err := db.Where("id = ?", number).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read row %d: %w", number, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// all reads the table, at most 4,096 rows.
func all(db *gorm.DB) ([]row, error) {
	var rows []row
	if err := db.Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read replicas: %w", err)
	}
	return rows, nil
}

// raced tells whether err only means that another process was faster: somebody else
// inserted or changed the row, or the database broke a deadlock at our expense.
func raced(err error) bool {
	if errors.Is(err, errRow) || errors.Is(err, gorm.ErrDuplicatedKey) {
		return true
	}
	const lockWaitTimeout, deadlock = 1205, 1213
	var refused *mysql.MySQLError
	return errors.As(err, &refused) && (refused.Number == lockWaitTimeout || refused.Number == deadlock)
}

// call runs one exchange with the database inside the time that it may take, and
// measures it.
func (r *Registry) call(ctx context.Context, op string, do func(db *gorm.DB) error) error {
	begin := time.Now()
	// Opening comes with the schema and has bounds of its own.
	db, err := r.db(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
		defer cancel()
		err = do(db.WithContext(ctx))
	} else {
		err = fmt.Errorf("reach the database: %w", err)
	}
	result := "ok"
	if err != nil && !raced(err) && !errors.Is(err, ErrTakenOver) {
		result = "error"
	}
	r.metrics.calls.WithLabelValues(op, result).Observe(time.Since(begin).Seconds())
	return err
}
