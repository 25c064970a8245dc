package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/pkg/socketio"
)

// Config is what a connection may do, and how much of it.
type Config struct {
	// Namespaces that clients may connect to. Default ["/"]. Others are refused
	// with "Invalid namespace".
	Namespaces []string `toml:"namespaces"`
	// Refuse are namespaces that nobody may connect to, each with its own answer:
	// one that was closed says where to go instead, and tests need one.
	Refuse []RefuseConfig `toml:"refuse"`
	// ConnectTimeout is how long a client may take to connect to a namespace.
	// Default 10s. Lower it when idle handshakes are a burden.
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	// AttachmentTimeout is how long the attachments of one event may take after the
	// packet that announced them. Default 10s. Raise it for clients that send
	// large files over slow lines.
	AttachmentTimeout time.Duration `toml:"attachment_timeout"`
	// Packets bounds what a Socket.IO packet may look like.
	Packets socketio.Limits `toml:"packets"`
	// AuthTimeout bounds the verification of one token. Default 3s.
	AuthTimeout time.Duration `toml:"auth_timeout"`
	// IndexTimeout bounds one write to the session index, and so what a Redis
	// that is away adds to a handshake. Default 500ms.
	IndexTimeout time.Duration `toml:"index_timeout"`
	// MaxDocuments that one socket may be a member of. Default 64.
	MaxDocuments int `toml:"max_documents"`
	// MaxNamespaces that one client may be connected to. Default 4.
	MaxNamespaces int `toml:"max_namespaces"`
	// MaxUserSockets that one user may have on this gateway. Default 32; zero
	// means no limit.
	MaxUserSockets int `toml:"max_user_sockets"`
	// MaxStrayAcks is how many acknowledgements that nobody asked for a client may
	// send before it is closed. Default 100: a few come late in any network.
	MaxStrayAcks int `toml:"max_stray_acks"`
	// Address bounds what one client address may do.
	Address AddressConfig `toml:"address"`
	// MaxCalls that may wait for the acknowledgement of one socket. Default 64.
	MaxCalls int `toml:"max_calls"`
	// Shards of connections, each with its own lock and worker. Zero means one
	// per CPU that this process may use. More does not help: workers do not wait.
	Shards int `toml:"shards"`
	// ShardQueue is how many pushes may wait for one worker. Default 1024.
	// Durable pushes beyond it wait in Kafka, ephemeral ones are dropped.
	ShardQueue int `toml:"shard_queue"`
	// JoinWait is how long a durable push to many sockets waits for the next one to
	// the same, over and over while they come: together they leave each socket in
	// one system call. Default 1ms; zero means not at all, at most 100ms.
	JoinWait time.Duration `toml:"join_wait"`
	// MaxOwed is how many sockets that have left may wait for Kafka to take their
	// Disconnect events. Default 1000000, about 300 bytes each; events beyond it
	// are dropped and counted. Not less than the sockets that may leave at once.
	MaxOwed int `toml:"max_owed"`
	// RelayBatch is how many pushes go to Redis in one round trip. Default 256.
	RelayBatch int `toml:"relay_batch"`
	// TellClosing sends sluice:closing, with the reason, before the gateway ends a
	// connection. Default true. False: clients see what they see of the reference
	// server, and nothing else.
	TellClosing bool `toml:"tell_closing"`
	// DrainWindow is the time over which a gateway that leaves spreads the
	// reconnects of its clients. Default 30s. Zero closes all at once.
	DrainWindow time.Duration `toml:"drain_window"`
}

// RefuseConfig is one [[gateway.refuse]] entry.
type RefuseConfig struct {
	// Namespace that is refused, whatever its client shows.
	Namespace string `toml:"namespace"`
	// Message that the client's connect_error carries. Must not be empty.
	Message string `toml:"message"`
	// Data is JSON for the error's data field. Default none. Clients of Socket.IO
	// 2 get the data instead of the message.
	Data string `toml:"data"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Namespaces: []string{mainSpace}, ConnectTimeout: 10 * time.Second, AttachmentTimeout: 10 * time.Second, Packets: defaultPackets(), AuthTimeout: 3 * time.Second,
		IndexTimeout: 500 * time.Millisecond, MaxDocuments: 64, MaxNamespaces: 4, MaxCalls: 64, MaxUserSockets: 32, MaxStrayAcks: 100,
		Address:    defaultAddress(),
		ShardQueue: 1024, JoinWait: time.Millisecond, MaxOwed: 1_000_000, RelayBatch: 256, DrainWindow: 30 * time.Second, TellClosing: true,
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
		if !validNamespace(ns) {
			bad("namespaces: %q must begin with / and hold neither , nor ?", ns)
		}
	}
	for i, r := range c.Refuse {
		if !validNamespace(r.Namespace) {
			bad("refuse[%d].namespace: must begin with / and hold neither , nor ?", i)
		}
		if slices.Contains(c.Namespaces, r.Namespace) {
			bad("refuse[%d].namespace: is one of namespaces", i)
		}
		if r.Message == "" {
			bad("refuse[%d].message: must not be empty", i)
		}
		if r.Data != "" && !json.Valid([]byte(r.Data)) {
			bad("refuse[%d].data: must be JSON", i)
		}
	}
	for key, d := range map[string]time.Duration{
		"connect_timeout": c.ConnectTimeout, "attachment_timeout": c.AttachmentTimeout, "auth_timeout": c.AuthTimeout, "index_timeout": c.IndexTimeout,
	} {
		if d <= 0 {
			bad("%s: must be above 0", key)
		}
	}
	for key, n := range map[string]int{
		"max_documents": c.MaxDocuments, "max_namespaces": c.MaxNamespaces, "max_calls": c.MaxCalls, "max_stray_acks": c.MaxStrayAcks,
		"shard_queue": c.ShardQueue, "relay_batch": c.RelayBatch, "max_owed": c.MaxOwed,
	} {
		if n < 1 {
			bad("%s: must be at least 1", key)
		}
	}
	if c.MaxUserSockets < 0 {
		bad("max_user_sockets: must not be negative")
	}
	errs = append(errs, c.Address.check()...)
	if c.Shards < 0 || c.Shards > 1024 {
		bad("shards: must be between 0 and 1024")
	}
	if c.JoinWait < 0 || c.JoinWait > 100*time.Millisecond {
		bad("join_wait: must be between 0 and 100ms")
	}
	if c.DrainWindow < 0 {
		bad("drain_window: must not be negative")
	}
	if err := c.Packets.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			bad("packets.%s", line)
		}
	}
	return errors.Join(errs...)
}

// defaultPackets are the parser's own, but for the size, which is the transport's.
func defaultPackets() socketio.Limits {
	l := socketio.DefaultLimits()
	l.MessageBytes = 0
	return l
}

// packetLimits is what a packet may look like on a transport with maxPayload.
func (c *Config) packetLimits(maxPayload int) socketio.Limits {
	l := c.Packets
	if l.MessageBytes == 0 {
		l.MessageBytes = maxPayload
	}
	return l
}

func validNamespace(ns string) bool {
	return strings.HasPrefix(ns, "/") && !strings.ContainsAny(ns, ",?")
}
