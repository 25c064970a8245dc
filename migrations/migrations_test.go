package migrations

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func TestSixtyFourStartersMigrateOnce(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		const starters = 64
		var (
			wg    sync.WaitGroup
			start = make(chan struct{})
			dbs   []*sql.DB
		)
		for range starters {
			db := open(t)
			dbs = append(dbs, db)
			wg.Go(func() {
				<-start
				if err := Up(soon(t), db, dialect); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := number(t, dbs[0], "SELECT COUNT(*) FROM replicas"); n != 0 {
			t.Errorf("%d rows in a fresh table", n)
		}
		if n := number(t, dbs[0], "SELECT COUNT(*) FROM sluice_schema WHERE version_id = 1"); n != 1 {
			t.Errorf("applied %d times", n)
		}
	})
}

// Statements that are no harm when they run twice prove nothing; this one would show.
func TestConcurrentStartersRunNoStatementTwice(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		files := fstest.MapFS{
			"00001_counter.sql": {Data: []byte("-- +goose Up\nCREATE TABLE counter (n INTEGER NOT NULL);\nINSERT INTO counter VALUES (0);\n")},
			"00002_raise.sql":   {Data: []byte("-- +goose Up\nUPDATE counter SET n = n + 1;\n")},
		}
		var wg sync.WaitGroup
		db := open(t)
		for range 16 {
			db := open(t)
			wg.Go(func() {
				if err := up(soon(t), db, dialect, files); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := number(t, db, "SELECT SUM(n) FROM counter"); n != 1 {
			t.Errorf("counter = %d", n)
		}
	})
}

func TestUpAgainAndOnANewerSchemaChangesNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		db := open(t)
		for range 2 {
			if err := Up(soon(t), db, dialect); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.ExecContext(soon(t), "INSERT INTO sluice_schema (version_id, is_applied) VALUES (99, 1)"); err != nil {
			t.Fatal(err)
		}
		if err := Up(soon(t), db, dialect); err != nil {
			t.Errorf("with a newer schema: %v", err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM sluice_schema"); n != 3 {
			t.Errorf("%d versions recorded, want 0, 1 and 99", n)
		}
	})
}

func TestFailedMigrationLeavesNothingOnSQLite(t *testing.T) {
	open := sqliteOpener(t)
	files := fstest.MapFS{
		"00001_fine.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE fine (n INTEGER);\n")},
		"00002_broken.sql": {Data: []byte("-- +goose Up\nCREATE TABLE half (n INTEGER);\nINSERT INTO nowhere VALUES (1);\n")},
	}
	db := open(t)
	if err := up(soon(t), db, SQLite, files); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("err = %v", err)
	}
	if n := number(t, open(t), "SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'"); n != 0 {
		t.Error("half of the file was left behind")
	}
	if n := number(t, open(t), "SELECT MAX(version_id) FROM sluice_schema"); n != 1 {
		t.Errorf("version %d is recorded", n)
	}
	// The connection is fit for use, and the repaired file goes through.
	files["00002_broken.sql"].Data = []byte("-- +goose Up\nCREATE TABLE half (n INTEGER);\n")
	if err := up(soon(t), db, SQLite, files); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// Somebody who reads when the migration is to be committed is waited for.
func TestAReaderDelaysTheCommit(t *testing.T) {
	open := sqliteOpener(t)
	db := open(t)
	if _, err := db.ExecContext(soon(t), "CREATE TABLE fine (n INTEGER); INSERT INTO fine VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	reader, err := open(t).Conn(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var n int
	if _, err := reader.ExecContext(soon(t), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if err := reader.QueryRowContext(soon(t), "SELECT COUNT(*) FROM fine").Scan(&n); err != nil { // the lock is kept
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Up(soon(t), db, SQLite) }()
	select {
	case err := <-done:
		t.Fatalf("it ended while somebody reads: %v", err)
	case <-time.After(300 * time.Millisecond): // several times the busy_timeout
	}
	if _, err := reader.ExecContext(soon(t), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaitForTheTurnEnds(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		conn, err := open(t).Conn(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		take, patience := "BEGIN IMMEDIATE", 200*time.Millisecond
		if dialect == MySQL {
			// Longer than one GET_LOCK waits: it must be asked for again.
			take, patience = "SELECT GET_LOCK("+mysqlLock+", 0)", 2500*time.Millisecond
		}
		if _, err := conn.ExecContext(soon(t), take); err != nil {
			t.Fatal(err)
		}
		waiter := open(t)
		short, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := Up(short, waiter, dialect); err == nil {
			t.Error("migrated out of turn")
		}
		// A holder that dies gives the turn back.
		discard(conn)
		if err := Up(soon(t), waiter, dialect); err != nil {
			t.Error(err)
		}
	})
}

func TestUnknownDialectIsRefused(t *testing.T) {
	db := sqliteOpener(t)(t)
	if err := Up(soon(t), db, "oracle"); !errors.Is(err, ErrDialect) {
		t.Errorf("err = %v", err)
	}
}

func TestNameOfTheMySQLLockFits(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		if dialect != MySQL {
			return
		}
		db := open(t)
		conn, err := db.Conn(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var name string
		if err := conn.QueryRowContext(soon(t), "SELECT DATABASE()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		// The lock's name must not be the same for two databases of one server.
		var lock string
		if err := conn.QueryRowContext(soon(t), "SELECT "+mysqlLock).Scan(&lock); err != nil || len(lock) > 64 {
			t.Errorf("lock %q, %v", lock, err)
		}
	})
}

func TestDialectsHaveTheSameFiles(t *testing.T) {
	var names [2][]string
	for i, d := range []Dialect{MySQL, SQLite} {
		entries, err := fs.ReadDir(files, string(d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[i] = append(names[i], e.Name())
		}
	}
	if !slices.Equal(names[0], names[1]) {
		t.Errorf("mysql %v, sqlite %v", names[0], names[1])
	}
}

func TestDialectsHaveTheSameColumns(t *testing.T) {
	want := []string{
		"id", "service", "name", "version", "address", "boot", "epoch", "lease_after", "lease_until",
		"heartbeat_at", "registered_at", "state", "sockets", "level",
	}
	eachDialect(t, func(t *testing.T, dialect Dialect, open opener) {
		db := open(t)
		if err := Up(soon(t), db, dialect); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(soon(t), "SELECT * FROM replicas")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		got, err := rows.Columns()
		if err := errors.Join(err, rows.Err()); err != nil || !slices.Equal(got, want) {
			t.Errorf("columns %v, %v", got, err)
		}
	})
}
