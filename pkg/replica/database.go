package replica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"gorm.io/gorm"
)

// Database opens a database when it is first needed and there, and prepares it once.
// Its Open method is what New wants.
type Database struct {
	driver, dsn string
	prepare     func(ctx context.Context, db *sql.DB, driver string) error

	// turn is held, by having put something in, while the database is opened: the
	// wait for it ends with the context.
	turn   chan struct{}
	mu     sync.Mutex // guards db and closed, for moments only
	db     *gorm.DB
	closed bool
}

// NewDatabase returns a database to be opened later. prepare brings the schema up to
// date; nil does nothing.
func NewDatabase(driver, dsn string, prepare func(ctx context.Context, db *sql.DB, driver string) error) *Database {
	return &Database{driver: driver, dsn: dsn, prepare: prepare, turn: make(chan struct{}, 1)}
}

// Open returns the open database, and opens and prepares it if that has not
// succeeded yet.
func (d *Database) Open(ctx context.Context) (*gorm.DB, error) {
	if db, err := d.opened(); db != nil || err != nil {
		return db, err
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if db, err := d.opened(); db != nil || err != nil {
		return db, err
	}
	db, err := Open(ctx, d.driver, d.dsn)
	if err != nil {
		return nil, err
	}
	if err := d.prepared(ctx, db); err != nil {
		return nil, errors.Join(err, closeDB(db))
	}
	if !d.keep(db) {
		return nil, errors.Join(sql.ErrConnDone, closeDB(db))
	}
	return db, nil
}

// keep remembers the open database unless Close was faster.
func (d *Database) keep(db *gorm.DB) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.db = db
	}
	return !d.closed
}

func (d *Database) opened() (*gorm.DB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, sql.ErrConnDone
	}
	return d.db, nil
}

func (d *Database) prepared(ctx context.Context, db *gorm.DB) error {
	if d.prepare == nil {
		return nil
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	if err := d.prepare(ctx, pool, d.driver); err != nil {
		return fmt.Errorf("prepare database: %w", err)
	}
	return nil
}

// Close closes the database for good. Use it after everybody has stopped.
func (d *Database) Close() error {
	d.mu.Lock()
	db := d.db
	d.db, d.closed = nil, true
	d.mu.Unlock()
	return closeDB(db)
}
