package e2e

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/go-sql-driver/mysql"

	"sluice/pkg/embedded"
)

// backing is the Kafka, Redis and SQL that a cluster of programs stands on.
type backing struct {
	kafka       []string
	redis       string
	driver, dsn string
	prefix      string // of Redis keys and Kafka topics, unlike any other run
}

// newBacking starts embedded services, or takes the real ones. A real run
// whose services are not named fails: it would not be what it says.
func newBacking(t *testing.T) *backing {
	t.Helper()
	b := &backing{prefix: "e2e" + randomName(t)}
	if os.Getenv("SLUICE_TEST_REAL") == "" {
		s, err := embedded.Start(embedded.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		b.kafka, b.redis, b.driver, b.dsn = s.Kafka, s.Redis, s.Driver, s.DSN
		return b
	}
	b.kafka = strings.Split(mustEnv(t, "SLUICE_TEST_KAFKA"), ",")
	b.redis = mustEnv(t, "SLUICE_TEST_REDIS")
	b.driver, b.dsn = "mysql", newDatabase(t, mustEnv(t, "SLUICE_TEST_MYSQL_DSN"), b.prefix)
	return b
}

func mustEnv(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("SLUICE_TEST_REAL is set and %s is not", name)
	}
	return v
}

func randomName(t *testing.T) string {
	t.Helper()
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

// newDatabase makes a database of its own on the server that dsn names.
func newDatabase(t *testing.T, dsn, name string) string {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg.DBName = name
	return cfg.FormatDSN()
}

// keys lists the Redis keys of the run that match a pattern.
func (b *backing) keys(t *testing.T, pattern string) []string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: b.redis})
	defer func() { _ = c.Close() }() // the connection is the test's own
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all []string
	it := c.Scan(ctx, 0, b.prefix+":"+pattern, 1000).Iterator()
	for it.Next(ctx) {
		all = append(all, it.Val())
	}
	if err := it.Err(); err != nil {
		t.Fatal(fmt.Errorf("list redis keys: %w", err))
	}
	return all
}
