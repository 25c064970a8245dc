package replica

import (
	"errors"
	"fmt"
	"time"

	"sluice/pkg/id"
)

// Config is how a process gets and keeps its number.
type Config struct {
	// Driver is the kind of database: "mysql" for MySQL and MariaDB, "sqlite" for a
	// file on this machine. Default "mysql".
	Driver string `toml:"driver"`
	// DSN tells where the database is: "user:password@tcp(host:3306)/sluice" for
	// mysql, a path for sqlite. It has no default and is a secret.
	DSN string `toml:"dsn"`
	// Fixed is the number to have, 0 to 4095, or -1 for any. Default -1. Set it on
	// machines whose number is part of their installation; take numbers from the
	// top then, because automatic ones are taken from the bottom. A living process
	// of another name or version that has the number keeps it.
	Fixed int `toml:"fixed"`
	// LeaseFor is how far ahead of the clock the right to mint ids is extended, and
	// so how long a process serves in full without the database. Default 24h. A
	// longer lease keeps numbers of crashed processes from use for longer.
	LeaseFor time.Duration `toml:"lease_for"`
	// RenewEvery is the time between extensions of the lease. Default 30s. It may
	// be at most half of lease_for; there is little reason to change it.
	RenewEvery time.Duration `toml:"renew_every"`
	// HeartbeatEvery is the time between heartbeats, each one write and one read of
	// the list of the living. Default 3s. Raise it when hundreds of replicas load
	// the database, and dead_after with it.
	HeartbeatEvery time.Duration `toml:"heartbeat_every"`
	// DeadAfter is the age of a heartbeat at which its process counts as dead.
	// Default 15s. It must be at least three times heartbeat_every, and more than
	// the clocks of the machines differ.
	DeadAfter time.Duration `toml:"dead_after"`
	// QuarantineFor is how long a number rests after its lease and its heartbeat
	// have ended, before another name or version may have it. Default 1h. Zero
	// means no rest. Resumable sessions and stored answers of the former owner
	// should be forgotten by then.
	QuarantineFor time.Duration `toml:"quarantine_for"`
	// CallTimeout bounds each exchange with the database. Default 5s, at most
	// dead_after.
	CallTimeout time.Duration `toml:"call_timeout"`
}

// DefaultConfig returns the defaults; only DSN is missing.
func DefaultConfig() Config {
	return Config{
		Driver:         DriverMySQL,
		Fixed:          -1,
		LeaseFor:       24 * time.Hour,
		RenewEvery:     30 * time.Second,
		HeartbeatEvery: 3 * time.Second,
		DeadAfter:      15 * time.Second,
		QuarantineFor:  time.Hour,
		CallTimeout:    5 * time.Second,
	}
}

// Validate reports everything that is wrong, each problem beginning with its key.
func (c *Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.DSN == "" {
		problem("dsn: must be set")
	}
	switch c.Driver {
	case DriverSQLite:
	case DriverMySQL:
		if c.DSN != "" {
			if _, err := mysqlConfig(c.DSN); err != nil {
				problem("dsn: %w", err)
			}
		}
	default:
		problem("driver: must be %q or %q, not %q", DriverMySQL, DriverSQLite, c.Driver)
	}
	if c.Fixed < -1 || c.Fixed > int(id.MaxReplica) {
		problem("fixed: must be 0 to %d, or -1 for any number, not %d", id.MaxReplica, c.Fixed)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"lease_for", c.LeaseFor}, {"renew_every", c.RenewEvery}, {"heartbeat_every", c.HeartbeatEvery},
		{"dead_after", c.DeadAfter}, {"call_timeout", c.CallTimeout},
	} {
		if d.value < time.Millisecond {
			problem("%s: must be at least 1ms, not %v", d.key, d.value)
		}
	}
	if c.QuarantineFor < 0 {
		problem("quarantine_for: must not be negative, not %v", c.QuarantineFor)
	}
	if c.RenewEvery > c.LeaseFor/2 {
		problem("renew_every: must be at most half of lease_for (%v), not %v", c.LeaseFor, c.RenewEvery)
	}
	if c.DeadAfter < 3*c.HeartbeatEvery {
		problem("dead_after: must be at least three times heartbeat_every (%v), not %v", c.HeartbeatEvery, c.DeadAfter)
	}
	if c.CallTimeout > c.DeadAfter {
		problem("call_timeout: must be at most dead_after (%v), not %v", c.DeadAfter, c.CallTimeout)
	}
	return errors.Join(errs...)
}
