// Package migrations holds the SQL schema of Sluice, one folder per dialect with
// files of the same numbers, and applies it. A published file never changes: what
// is wrong in it is put right by a file with the next number.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed mysql/*.sql sqlite/*.sql
var files embed.FS

// Dialect is the kind of database that the schema is written for.
type Dialect string

// The dialects. MySQL stands for MariaDB too.
const (
	MySQL  Dialect = "mysql"
	SQLite Dialect = "sqlite"
)

// ErrDialect is wrapped by the error of Up for a database it has no schema for.
var ErrDialect = errors.New("no schema for this kind of database")

const (
	// versionTable records which files were applied. It has a name of its own
	// because the database may be shared with others who use goose.
	versionTable = "sluice_schema"

	// patience bounds the wait for other starters when the caller's context does not.
	patience = time.Minute
)

// Up brings the schema to the newest version that this program knows. It is one
// query when there is nothing to do, so every start may call it, and any number of
// processes may do so at once: one works, the others wait their turn, at most a
// minute. A schema newer than the program is left alone, so that a program can be
// rolled back; files must therefore leave the tables fit for the version before.
//
// On SQLite a file is applied whole or not at all. MySQL commits each statement by
// itself: a file that failed half-way is run again from its beginning, so its
// statements must bear repetition. The DSN of MySQL must say parseTime=true.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sub, err := fs.Sub(files, string(dialect))
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	return up(ctx, db, dialect, sub)
}

func up(ctx context.Context, db *sql.DB, dialect Dialect, files fs.FS) error {
	var (
		speaks  goose.Dialect
		turn    lock.SessionLocker
		current atomic.Int64 // the version being applied
	)
	switch dialect {
	case MySQL:
		speaks, turn = goose.DialectMySQL, mysqlTurn{}
	case SQLite:
		speaks, turn = goose.DialectSQLite3, sqliteTurn{version: &current}
	default:
		return fmt.Errorf("%w: %q", ErrDialect, dialect)
	}
	// Without transactions of its own, because on SQLite the turn is one.
	provider, err := goose.NewProvider(speaks, db, files,
		goose.WithSessionLocker(turn),
		goose.WithTableName(versionTable),
		goose.WithIsolateDDL(true),
		goose.WithDisableGlobalRegistry(true),
	)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	done := applied(ctx, db)
	for _, file := range provider.ListSources() {
		if done[file.Version] {
			continue
		}
		current.Store(file.Version)
		// Not Provider.Up: it looks for pending files, and creates its table, before
		// it takes the turn, and starters would meet there.
		_, err := provider.ApplyVersion(ctx, file.Version, true)
		if err != nil && !errors.Is(err, goose.ErrAlreadyApplied) {
			return fmt.Errorf("apply migration %s: %w", file.Path, err)
		}
	}
	return nil
}

// applied returns the recorded versions, as far as they can be read: whatever is
// wrong, most likely a fresh database, shows again when a file is applied.
func applied(ctx context.Context, db *sql.DB) map[int64]bool {
	done := make(map[int64]bool)
	rows, err := db.QueryContext(ctx, "SELECT version_id FROM "+versionTable)
	if err != nil {
		return done
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		if rows.Scan(&v) == nil {
			done[v] = true
		}
	}
	if rows.Err() != nil {
		return nil
	}
	return done
}
