package session

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config holds the settings of an Index. All processes of a cluster must agree
// on Prefix and Parts, otherwise they do not see each other's sockets.
type Config struct {
	// Prefix begins every key. Default "ws". Change it when clusters share a
	// Redis; it must not contain braces, which Redis Cluster reads as hash tags.
	Prefix string `toml:"prefix"`
	// Parts is the number of sub-keys over which the members of each document
	// are spread by hash of the socket. Default 1, at most 64. Raise it when
	// documents have so many members that one key, and so one Redis node, is
	// too hot. Changing it means restarting all replicas together: sockets
	// written under the old number are not found under the new one until their
	// gateway has rewritten them.
	Parts int `toml:"parts"`
	// LeaseTTL is how long a replica counts as alive after its last heartbeat.
	// Default 10s. A dead replica's sockets are returned for this long plus
	// NodesFor; a pause of the process that is longer makes others declare it
	// dead.
	LeaseTTL time.Duration `toml:"lease_ttl"`
	// RenewEvery is the time between two heartbeats of the lease. Default 3s,
	// at most a third of LeaseTTL. It is also how soon the loss of Redis data
	// is noticed.
	RenewEvery time.Duration `toml:"renew_every"`
	// NodesFor is how long the list of living replicas is believed without
	// asking again. Default 1s; zero asks for every look-up.
	NodesFor time.Duration `toml:"nodes_for"`
	// TTL is how long an entry lives in Redis without being refreshed. Default
	// 30m, at least 3 times RefreshEvery. A replica's sockets can be swept, and
	// their Disconnect events sent, for two thirds of this time after its death.
	TTL time.Duration `toml:"ttl"`
	// RefreshEvery is the time in which the last-seen times of all sockets are
	// written once, spread evenly. Default 60s. It bounds how old the times in
	// Redis are, and what it costs to keep them.
	RefreshEvery time.Duration `toml:"refresh_every"`
	// Batch is the number of sockets written by one pipeline of refresh, rebuild
	// and sweep. Default 500, at most 10000.
	Batch int `toml:"batch"`
	// RebuildWorkers is the number of pipelines in flight while the index is
	// rebuilt after a loss. Default 4. More is faster and loads Redis more.
	RebuildWorkers int `toml:"rebuild_workers"`
	// SweepGrace is how long a replica must have been seen without a lease,
	// without a failed call to Redis in between, before it is swept. Default
	// 10s; it must not be below LeaseTTL, or an outage of Redis makes
	// everybody sweep everybody.
	SweepGrace time.Duration `toml:"sweep_grace"`
	// SweepWorkers is the number of lost calls in flight during a sweep.
	// Default 64.
	SweepWorkers int `toml:"sweep_workers"`
	// CacheFor is how long the answer to a look-up of a hot document or user is
	// repeated. Default 1s; zero asks Redis every time.
	CacheFor time.Duration `toml:"cache_for"`
	// CacheAfter makes a key hot: the number of reads per CacheFor which still
	// go to Redis, a read of 256 members counting as one more. Default 8.
	CacheAfter int `toml:"cache_after"`
	// CacheKeys bounds the cache. Default 1024 keys.
	CacheKeys int `toml:"cache_keys"`
	// GroupLanes is the number of pipelines in flight that connects, joins and
	// leaves share. Default 1, at most 64: one makes the largest pipelines, which
	// cost least. More are for a Redis Cluster, where a slow node then delays the
	// sockets of some lanes only.
	GroupLanes int `toml:"group_lanes"`
	// GroupMost is the number of operations that share one pipeline. Default
	// 256, at most 10000.
	GroupMost int `toml:"group_most"`
	// GroupBytes bounds what is sent by one such pipeline. Default 262144; at
	// least 65536, for a single socket of many documents goes as a whole.
	GroupBytes int `toml:"group_bytes"`
	// GroupQueue is the number of operations that may wait in one lane. Default
	// 10000. What is more fails at once, and is repaired later.
	GroupQueue int `toml:"group_queue"`
	// Timeout ends a call to Redis that runs in the background, for one
	// pipeline. Default 3s. Look-ups and changes end with their context.
	Timeout time.Duration `toml:"timeout"`
}

// DefaultConfig returns the settings documented at each field.
func DefaultConfig() Config {
	return Config{
		Prefix:         "ws",
		Parts:          1,
		LeaseTTL:       10 * time.Second,
		RenewEvery:     3 * time.Second,
		NodesFor:       time.Second,
		TTL:            30 * time.Minute,
		RefreshEvery:   time.Minute,
		Batch:          500,
		RebuildWorkers: 4,
		SweepGrace:     10 * time.Second,
		SweepWorkers:   64,
		CacheFor:       time.Second,
		CacheAfter:     8,
		CacheKeys:      1024,
		GroupLanes:     1,
		GroupMost:      256,
		GroupBytes:     256 << 10,
		GroupQueue:     10_000,
		Timeout:        3 * time.Second,
	}
}

// Validate returns all that is wrong, joined; each error begins with the key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: must be %s", key, fmt.Sprintf(format, args...)))
	}
	between := func(key string, v, low, high int) {
		if v < low || v > high {
			bad(key, "between %d and %d", low, high)
		}
	}
	if c.Prefix == "" || strings.ContainsAny(c.Prefix, "{}") {
		bad("prefix", "a name without braces")
	}
	between("parts", c.Parts, 1, 64)
	if c.LeaseTTL < time.Millisecond {
		bad("lease_ttl", "at least 1ms")
	}
	if c.RenewEvery <= 0 || c.RenewEvery > c.LeaseTTL/3 {
		bad("renew_every", "positive and at most a third of lease_ttl")
	}
	if c.NodesFor < 0 || c.NodesFor > c.LeaseTTL {
		bad("nodes_for", "between 0 and lease_ttl")
	}
	if c.RefreshEvery <= 0 {
		bad("refresh_every", "positive")
	}
	if c.TTL < 3*c.RefreshEvery || c.TTL < c.LeaseTTL {
		bad("ttl", "at least 3 times refresh_every and not below lease_ttl")
	}
	between("batch", c.Batch, 1, 10_000)
	between("rebuild_workers", c.RebuildWorkers, 1, 64)
	if c.SweepGrace < c.LeaseTTL {
		bad("sweep_grace", "at least lease_ttl")
	}
	between("sweep_workers", c.SweepWorkers, 1, 1024)
	if c.CacheFor < 0 || c.CacheFor > 10*time.Second {
		bad("cache_for", "between 0 and 10s")
	}
	between("cache_after", c.CacheAfter, 1, 1_000_000)
	between("cache_keys", c.CacheKeys, 1, 1_000_000)
	between("group_lanes", c.GroupLanes, 1, 64)
	between("group_most", c.GroupMost, 1, 10_000)
	between("group_bytes", c.GroupBytes, 64<<10, 16<<20)
	between("group_queue", c.GroupQueue, 1, 1_000_000)
	if c.Timeout <= 0 {
		bad("timeout", "positive")
	}
	return errors.Join(errs...)
}
