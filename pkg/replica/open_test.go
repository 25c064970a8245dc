package replica

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpenRefusesWhatItDoesNotKnowAndKeepsSecrets(t *testing.T) {
	if _, err := Open(soon(t), "oracle", "x"); !errors.Is(err, ErrDriver) {
		t.Errorf("err = %v", err)
	}
	for _, dsn := range []string{"hunter2", "u:hunter2@hunter2(x/y", "u:hunter2@tcp(127.0.0.1:1)/"} {
		_, err := Open(soon(t), DriverMySQL, dsn)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
	if _, err := Open(soon(t), DriverSQLite, filepath.Join(t.TempDir(), "no", "such", "folder.db")); err == nil {
		t.Error("opened a file in no folder")
	}
}

func TestOpenSetsSQLiteUp(t *testing.T) {
	db := sqliteBackend(t).table(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "busy_timeout": "5000"} {
		var got string
		must(t, db.Raw("PRAGMA "+pragma).Scan(&got).Error)
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
}

func TestDatabaseInMemoryIsOneForAllItsConnections(t *testing.T) {
	db := NewDatabase(DriverSQLite, ":memory:", migrate)
	defer db.Close()
	var wg sync.WaitGroup
	c := newClock()
	for range 8 {
		wg.Go(func() {
			if _, err := newRegistry(testConfig(), named(NewBoot(), "1"), db.Open, c.now).Register(soon(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	opened, err := db.Open(soon(t))
	must(t, err)
	rows, err := all(opened)
	if err != nil || len(rows) != 8 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestDatabaseIsPreparedOnceAndAgainAfterAFailure(t *testing.T) {
	prepared := 0
	broken := errors.New("broken")
	db := NewDatabase(DriverSQLite, filepath.Join(t.TempDir(), "x.db"), func(context.Context, *sql.DB, string) error {
		if prepared++; prepared == 1 {
			return broken
		}
		return nil
	})
	if _, err := db.Open(soon(t)); !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	first, err := db.Open(soon(t))
	must(t, err)
	if again, err := db.Open(soon(t)); err != nil || again != first || prepared != 2 {
		t.Errorf("%v, %v, prepared %d times", again == first, err, prepared)
	}
	must(t, db.Close())
	must(t, db.Close())
	if _, err := db.Open(soon(t)); !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("open after Close: %v", err)
	}
}
