package stream

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config holds the settings of a Stream. All processes of a cluster must agree
// on Prefix and Shards.
type Config struct {
	// Prefix begins every key and channel. Default "ws". Change it when clusters
	// share a Redis; it must not contain braces, which hold the hash tag.
	Prefix string `toml:"prefix"`
	// Shards is the number of sequences over which targets are spread by hash, 1
	// to 8. Default 4. Each shard lives in one slot of a Redis Cluster, so more
	// shards use more of its nodes; each one also makes the offset that clients
	// carry longer. Changing it means stopping all replicas: what was appended
	// under the old number is not found under the new one.
	Shards int `toml:"shards"`
	// MaxEntries bounds the history of one target. Default 1000.
	MaxEntries int `toml:"max_entries"`
	// MaxBytes bounds the history of one target, counting each entry as its body
	// and 64 bytes. Default 1 MiB (1048576). The newest entry is always kept.
	MaxBytes int `toml:"max_bytes"`
	// Window is how long an entry, and the memory that its message id was
	// already appended, is kept at least, unless one of the bounds above is
	// reached; entries may stay an eighth longer. Default 10m.
	Window time.Duration `toml:"window"`
	// Remember is for how long it is known that a target had no message: who
	// resumes with a position older than this is told of a gap although there
	// may be none. Default 6h, at least Window. It costs about 150 bytes of
	// Redis for each target that had a message in this time.
	Remember time.Duration `toml:"remember"`
	// LogEntries is the length of each shard's log, from which subscribers fill
	// gaps. Default 20000, about 100 bytes each. It bounds how many messages of
	// a shard a subscriber may miss before it must report a gap.
	LogEntries int `toml:"log_entries"`
	// AnnounceEvery is the time between two looks at the shards' sequences,
	// which notice a lost broadcast. Default 1s; a loss is noticed within this
	// time plus Grace.
	AnnounceEvery time.Duration `toml:"announce_every"`
	// Grace is how long a message may be on its way after its sequence was
	// announced before it counts as lost. Default 300ms.
	Grace time.Duration `toml:"grace"`
	// Buffer is the number of received messages that may wait for the handler.
	// Default 1024. When it is full the subscription is not read, and Redis ends
	// it when its own output buffer is full; what was missed is then read from
	// the history.
	Buffer int `toml:"buffer"`
	// KeyFor is how long an idempotency key is remembered. Default 10m.
	KeyFor time.Duration `toml:"key_for"`
	// Timeout ends a call to Redis that runs in the background. Default 3s.
	// Append, Read, Reserve and Done end with their context.
	Timeout time.Duration `toml:"timeout"`
	// RetryMin and RetryMax bound the time between two attempts to subscribe
	// again. It doubles from one to the other, with jitter. Default 100ms and 5s.
	RetryMin time.Duration `toml:"retry_min"`
	// RetryMax is the longest of these times. Default 5s.
	RetryMax time.Duration `toml:"retry_max"`
}

// MaxShards is the largest number of shards.
const MaxShards = 8

// DefaultConfig returns the settings documented at each field.
func DefaultConfig() Config {
	return Config{
		Prefix:        "ws",
		Shards:        4,
		MaxEntries:    1000,
		MaxBytes:      1 << 20,
		Window:        10 * time.Minute,
		Remember:      6 * time.Hour,
		LogEntries:    20_000,
		AnnounceEvery: time.Second,
		Grace:         300 * time.Millisecond,
		Buffer:        1024,
		KeyFor:        10 * time.Minute,
		Timeout:       3 * time.Second,
		RetryMin:      100 * time.Millisecond,
		RetryMax:      5 * time.Second,
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
	between("shards", c.Shards, 1, MaxShards)
	between("max_entries", c.MaxEntries, 1, 100_000)
	between("max_bytes", c.MaxBytes, 1, 64<<20)
	if c.Window < 16*time.Millisecond {
		bad("window", "at least 16ms")
	}
	if c.Remember < c.Window {
		bad("remember", "at least window")
	}
	between("log_entries", c.LogEntries, 1, 10_000_000)
	if c.AnnounceEvery <= 0 {
		bad("announce_every", "positive")
	}
	if c.Grace <= 0 {
		bad("grace", "positive")
	}
	between("buffer", c.Buffer, 1, 1_000_000)
	if c.KeyFor < time.Millisecond {
		bad("key_for", "at least 1ms")
	}
	if c.Timeout <= 0 {
		bad("timeout", "positive")
	}
	if c.RetryMin <= 0 || c.RetryMax < c.RetryMin {
		bad("retry_min", "positive and not above retry_max")
	}
	return errors.Join(errs...)
}
