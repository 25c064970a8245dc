package migrations

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// mysqlTurn lets one starter at a time through with a named lock of the server. The
// lock ends with its connection, so a starter that dies does not keep it. A cluster
// of several writable servers has a lock on each of them; there, and behind a proxy
// that spreads writers, run the first start of a new version alone.
type mysqlTurn struct{}

// The name is hashed because a lock's name is server-wide, at most 64 characters,
// and must tell databases apart.
const mysqlLock = "CONCAT('sluice_schema:', MD5(DATABASE()))"

func (mysqlTurn) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got sql.NullInt64
		// Asking in short waits keeps below the read timeout of any sane DSN.
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+mysqlLock+", 2)").Scan(&got); err != nil {
			return fmt.Errorf("wait for the turn to migrate: %w", err)
		}
		if !got.Valid {
			return errors.New("wait for the turn to migrate: the DSN names no database")
		}
		if got.Int64 == 1 {
			return nil
		}
	}
}

func (mysqlTurn) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var released sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK("+mysqlLock+")").Scan(&released); err != nil {
		discard(conn)
		return fmt.Errorf("end the turn to migrate: %w", err)
	}
	return nil
}

// sqliteTurn is one write transaction around the application of a file: SQLite has
// no other lock that would outlast a statement, and its DDL can be rolled back.
type sqliteTurn struct{ version *atomic.Int64 }

// sqliteRetry is the pause after the database was busy for its whole busy_timeout.
const sqliteRetry = 10 * time.Millisecond

func (sqliteTurn) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := unlessBusy(ctx, conn, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("wait for the turn to migrate: %w", err)
	}
	return nil
}

// unlessBusy executes a statement, again for as long as others are in its way.
func unlessBusy(ctx context.Context, conn *sql.Conn, statement string) error {
	for {
		_, err := conn.ExecContext(ctx, statement)
		if err == nil || !busy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(sqliteRetry):
		}
	}
}

// SessionUnlock is not told whether the file succeeded. It sees it by the record of
// its version, which is written last: without it everything is taken back.
func (t sqliteTurn) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var recorded bool
	err := conn.QueryRowContext(ctx, "SELECT COUNT(*) > 0 FROM "+versionTable+" WHERE version_id = ?",
		t.version.Load()).Scan(&recorded)
	if err == nil && recorded {
		// Those who only read are in the way of a commit, too. ctx has no end here.
		waiting, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err = unlessBusy(waiting, conn, "COMMIT"); err == nil {
			return nil
		}
		err = fmt.Errorf("commit the migration: %w", err)
	} else {
		err = nil // the failure itself is reported by whoever met it
	}
	if _, rollback := conn.ExecContext(ctx, "ROLLBACK"); rollback != nil {
		// An interrupted statement may have ended the transaction already. If not,
		// the connection must not go back to the pool with it open.
		discard(conn)
	}
	return err
}

// busy tells whether SQLite refused because another connection reads or writes.
func busy(err error) bool {
	const sqliteBusy = 5
	var coded interface{ Code() int }
	return errors.As(err, &coded) && coded.Code()&0xff == sqliteBusy
}

// discard makes the pool close the connection instead of using it again.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}
