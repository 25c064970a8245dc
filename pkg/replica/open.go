package replica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// The drivers that Open knows. DriverMySQL is for MariaDB too.
const (
	DriverMySQL  = "mysql"
	DriverSQLite = "sqlite"
)

// ErrDriver is wrapped by the error of Open for a driver that it does not know.
var ErrDriver = errors.New("unknown database driver")

const (
	// dialTimeout and ioTimeout bound what a DSN leaves unbounded.
	dialTimeout = 5 * time.Second
	ioTimeout   = 10 * time.Second
	// maxConns is plenty: a registry makes one call at a time.
	maxConns = 4
	// connLife lets connections follow a failover of the database.
	connLife = 3 * time.Minute
)

// Open opens a database for Registry and waits until it answers. The loggers of gorm,
// which prints statements with their values, and of the MySQL driver are silenced. What the DSN leaves out is
// set as needed: time-outs and parseTime for MySQL, write-ahead log, busy_timeout
// and immediate transactions for SQLite. Close it through its DB method.
func Open(ctx context.Context, driver, dsn string) (*gorm.DB, error) {
	dialector, err := dialect(driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard,
		TranslateError:         true,
		SkipDefaultTransaction: true, // every write is one statement
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, closeDB(db)))
	}
	if err := ready(ctx, db, driver, dsn); err != nil {
		return nil, fmt.Errorf("open database: %w", errors.Join(err, closeDB(db)))
	}
	return db, nil
}

func dialect(driver, dsn string) (gorm.Dialector, error) {
	switch driver {
	case DriverMySQL:
		cfg, err := mysqlConfig(dsn)
		if err != nil {
			return nil, fmt.Errorf("the DSN %w", err)
		}
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		// Asking for the version would be I/O without the context, and none of the
		// clauses used here depends on it.
		return gormmysql.New(gormmysql.Config{Conn: sql.OpenDB(connector), SkipInitializeWithVersion: true}), nil
	case DriverSQLite:
		return sqlite.Open(sqliteDSN(dsn)), nil
	default:
		return nil, fmt.Errorf("%w: %q", ErrDriver, driver)
	}
}

// mysqlConfig reads a DSN and completes it. Its errors do not repeat the DSN.
func mysqlConfig(dsn string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("cannot be read, its form is user:password@tcp(host:port)/database")
	}
	if cfg.DBName == "" {
		return nil, errors.New("names no database")
	}
	cfg.ParseTime = true            // the migrations need it
	cfg.ClientFoundRows = true      // count rows that matched, not only those that differ
	cfg.Logger = &mysql.NopLogger{} // it prints to stderr what it returns as errors too
	if cfg.Timeout == 0 {
		cfg.Timeout = dialTimeout
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = ioTimeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = ioTimeout
	}
	return cfg, nil
}

// sqliteDSN completes a path. busy_timeout comes first, so that it holds for the
// pragmas behind it.
func sqliteDSN(dsn string) string {
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	return dsn + separator + "_txlock=immediate&_pragma=busy_timeout(5000)"
}

// inMemory tells whether each connection would have a database of its own.
func inMemory(dsn string) bool {
	return strings.Contains(dsn, ":memory:") || strings.Contains(dsn, "mode=memory")
}

func ready(ctx context.Context, db *gorm.DB, driver, dsn string) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	switch {
	case driver == DriverSQLite && inMemory(dsn):
		pool.SetMaxOpenConns(1) // and never closed, or its content were lost
	default:
		pool.SetMaxOpenConns(maxConns)
		pool.SetMaxIdleConns(maxConns)
		pool.SetConnMaxLifetime(connLife)
	}
	if err := pool.PingContext(ctx); err != nil {
		return err
	}
	if driver == DriverSQLite {
		// Kept in the file, so one connection sets it for all.
		if _, err := pool.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
			return fmt.Errorf("switch to the write-ahead log: %w", err)
		}
	}
	return nil
}

func closeDB(db *gorm.DB) error {
	if db == nil || db.ConnPool == nil {
		return nil
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
