package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config is what a connection may do, and how much of it.
type Config struct {
	// Namespaces that clients may connect to. Default ["/"]. Others are refused
	// with "Invalid namespace".
	Namespaces []string `toml:"namespaces"`
	// ConnectTimeout is how long a client may take to connect to a namespace.
	// Default 10s. Lower it when idle handshakes are a burden.
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	// AuthTimeout bounds the verification of one token. Default 3s.
	AuthTimeout time.Duration `toml:"auth_timeout"`
	// IndexTimeout bounds one write to the session index, and so what a Redis
	// that is away adds to a handshake. Default 500ms.
	IndexTimeout time.Duration `toml:"index_timeout"`
	// MaxDocuments that one socket may be a member of. Default 64.
	MaxDocuments int `toml:"max_documents"`
	// MaxNamespaces that one client may be connected to. Default 4.
	MaxNamespaces int `toml:"max_namespaces"`
	// MaxCalls that may wait for the acknowledgement of one socket. Default 64.
	MaxCalls int `toml:"max_calls"`
	// Shards of connections, each with its own lock and worker. Zero means one
	// per CPU that this process may use. More does not help: workers do not wait.
	Shards int `toml:"shards"`
	// ShardQueue is how many pushes may wait for one worker. Default 1024.
	// Durable pushes beyond it wait in Kafka, ephemeral ones are dropped.
	ShardQueue int `toml:"shard_queue"`
	// RelayBatch is how many pushes go to Redis in one round trip. Default 256.
	RelayBatch int `toml:"relay_batch"`
	// DrainWindow is the time over which a gateway that leaves spreads the
	// reconnects of its clients. Default 30s. Zero closes all at once.
	DrainWindow time.Duration `toml:"drain_window"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Namespaces: []string{mainSpace}, ConnectTimeout: 10 * time.Second, AuthTimeout: 3 * time.Second,
		IndexTimeout: 500 * time.Millisecond, MaxDocuments: 64, MaxNamespaces: 4, MaxCalls: 64,
		ShardQueue: 1024, RelayBatch: 256, DrainWindow: 30 * time.Second,
	}
}

// Validate reports everything that is wrong, each with its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Namespaces) == 0 {
		bad("namespaces: at least one is needed")
	}
	for _, ns := range c.Namespaces {
		if !strings.HasPrefix(ns, "/") || strings.ContainsAny(ns, ",?") {
			bad("namespaces: %q must begin with / and hold neither , nor ?", ns)
		}
	}
	for key, d := range map[string]time.Duration{
		"connect_timeout": c.ConnectTimeout, "auth_timeout": c.AuthTimeout, "index_timeout": c.IndexTimeout,
	} {
		if d <= 0 {
			bad("%s: must be above 0", key)
		}
	}
	for key, n := range map[string]int{
		"max_documents": c.MaxDocuments, "max_namespaces": c.MaxNamespaces, "max_calls": c.MaxCalls,
		"shard_queue": c.ShardQueue, "relay_batch": c.RelayBatch,
	} {
		if n < 1 {
			bad("%s: must be at least 1", key)
		}
	}
	if c.Shards < 0 || c.Shards > 1024 {
		bad("shards: must be between 0 and 1024")
	}
	if c.DrainWindow < 0 {
		bad("drain_window: must not be negative")
	}
	return errors.Join(errs...)
}
