package migrations

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/glebarez/go-sqlite"
	"github.com/go-sql-driver/mysql"
)

// opener returns one more handle on the test's own, empty database, as another
// process would have it.
type opener func(t *testing.T) *sql.DB

// eachDialect runs the test on SQLite, and on MySQL or MariaDB when
// SLUICE_TEST_MYSQL_DSN leads to a server. SLUICE_TEST_REAL=1 makes that server a must.
func eachDialect(t *testing.T, test func(t *testing.T, dialect Dialect, open opener)) {
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite, sqliteOpener(t)) })
	dsn := os.Getenv("SLUICE_TEST_MYSQL_DSN")
	if dsn != "" {
		t.Run("mysql", func(t *testing.T) { test(t, MySQL, mysqlOpener(t, dsn)) })
	} else if os.Getenv("SLUICE_TEST_REAL") == "1" {
		t.Error("SLUICE_TEST_REAL=1 needs SLUICE_TEST_MYSQL_DSN")
	}
}

// sqliteOpener sets a short busy_timeout, so that waiting is up to the code under test.
func sqliteOpener(t *testing.T) opener {
	path := filepath.Join(t.TempDir(), "test.db")
	return func(t *testing.T) *sql.DB {
		return openDB(t, "sqlite", path+"?_txlock=immediate&_pragma=busy_timeout(50)")
	}
}

func mysqlOpener(t *testing.T, dsn string) opener {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DBName = ""
	cfg.ParseTime = true
	admin := openDB(t, "mysql", cfg.FormatDSN())
	name := "sluice_migrations_" + rand.Text()[:10]
	if _, err := admin.ExecContext(soon(t), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := admin.ExecContext(ctx, "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
	})
	cfg.DBName = name
	return func(t *testing.T) *sql.DB { return openDB(t, "mysql", cfg.FormatDSN()) }
}

func openDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// soon bounds whatever waits in a test.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func number(t *testing.T, db *sql.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(soon(t), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
