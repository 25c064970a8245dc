package mesh

import (
	"errors"
	"fmt"
	"time"
)

// Config holds the settings of both sides of the mesh. All processes of one
// cluster should have the same.
type Config struct {
	// Token is the secret that callers show and callees compare. No default:
	// without certificates it must be set. Empty with certificates: the
	// certificates alone decide.
	Token string `toml:"token"`

	// CertFile is the path of this process's certificate chain (PEM), used as
	// server and as client. Empty, the default: plaintext and Token.
	CertFile string `toml:"cert_file"`
	// KeyFile is the path of the private key of CertFile (PEM).
	KeyFile string `toml:"key_file"`
	// CAFile is the path of the authorities (PEM) that signed the certificates
	// of all processes of the mesh. Whoever shows none of them is refused.
	CAFile string `toml:"ca_file"`
	// ServerName is the name that callees' certificates are checked for. Empty,
	// the default: the host of the address that is called. Set it when replicas
	// register with addresses that are not in their certificates.
	ServerName string `toml:"server_name"`

	// BackoffBase is the wait before the second attempt to reach a replica; it
	// doubles from there, with jitter. Default 100ms.
	BackoffBase time.Duration `toml:"backoff_base"`
	// BackoffMax is the longest wait between two attempts. Default 2s: a replica
	// that is back is used again that soon.
	BackoffMax time.Duration `toml:"backoff_max"`
	// ConnectTimeout bounds one attempt to connect. Default 3s.
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	// KeepaliveEvery is how long a connection may be silent before it is probed.
	// Default 10s, gRPC allows no less. Together with KeepaliveTimeout it bounds
	// how long a dead machine goes unnoticed.
	KeepaliveEvery time.Duration `toml:"keepalive_every"`
	// KeepaliveTimeout is how long the answer to a probe may take. Default 5s.
	KeepaliveTimeout time.Duration `toml:"keepalive_timeout"`
	// IdleAfter is how long an unused connection, and an unused delivery stream,
	// is kept. Default 5m.
	IdleAfter time.Duration `toml:"idle_after"`

	// QueueMessages bounds the deliveries that wait for one replica. Default
	// 4096. When it is full the newest is dropped and counted.
	QueueMessages int `toml:"queue_messages"`
	// QueueBytes bounds the same queue in bytes. Default 4 MiB.
	QueueBytes int `toml:"queue_bytes"`
	// DeliverWithin is the age at which a waiting delivery is dropped instead of
	// sent. Default 250ms, what ephemeral messages promise. Zero: any age.
	DeliverWithin time.Duration `toml:"deliver_within"`

	// CallTimeout bounds calls whose context has no deadline. Default 30s.
	CallTimeout time.Duration `toml:"call_timeout"`
	// MaxMessageBytes bounds one message of the mesh, either way. Default 8 MiB.
	// It must leave room for MaxForwardBytes and 64 KiB of headers.
	MaxMessageBytes int `toml:"max_message_bytes"`

	// MaxForwardBytes bounds the body of a forwarded request and of its
	// response. Default 2 MiB; it must not be below the payload limit of the
	// gateways.
	MaxForwardBytes int `toml:"max_forward_bytes"`
	// ForwardTimeout bounds one forwarded request. Default 2m. It must be longer
	// than a poll may hang: the ping interval and then some.
	ForwardTimeout time.Duration `toml:"forward_timeout"`

	// TunnelOpenTimeout is how long the callee may take to its first byte.
	// Default 5s.
	TunnelOpenTimeout time.Duration `toml:"tunnel_open_timeout"`
	// TunnelStall is how long the client of a tunnel may take no byte, with
	// bytes waiting for it, before it is cut. Default 30s.
	TunnelStall time.Duration `toml:"tunnel_stall"`
	// TunnelLinger is how long the rest of a tunnel may take after one end was
	// closed: the last bytes to the client, or the callee's close after the
	// client's. Default 5s.
	TunnelLinger time.Duration `toml:"tunnel_linger"`
	// TunnelBuffer is the number of bytes that the callee of a tunnel may write
	// ahead of the network. Default 32 KiB. More is memory per slow client, less
	// is more and smaller writes.
	TunnelBuffer int `toml:"tunnel_buffer"`
}

// DefaultConfig returns the settings for a cluster in one data centre. It has
// no token, and is therefore not valid as it is.
func DefaultConfig() Config {
	return Config{
		BackoffBase:       100 * time.Millisecond,
		BackoffMax:        2 * time.Second,
		ConnectTimeout:    3 * time.Second,
		KeepaliveEvery:    10 * time.Second,
		KeepaliveTimeout:  5 * time.Second,
		IdleAfter:         5 * time.Minute,
		QueueMessages:     4096,
		QueueBytes:        4 << 20,
		DeliverWithin:     250 * time.Millisecond,
		CallTimeout:       30 * time.Second,
		MaxMessageBytes:   8 << 20,
		MaxForwardBytes:   2 << 20,
		ForwardTimeout:    2 * time.Minute,
		TunnelOpenTimeout: 5 * time.Second,
		TunnelStall:       30 * time.Second,
		TunnelLinger:      5 * time.Second,
		TunnelBuffer:      32 << 10,
	}
}

const (
	minToken      = 16       // bytes of a token that is not guessed
	headroom      = 64 << 10 // of MaxMessageBytes over MaxForwardBytes
	minKeepalive  = 10 * time.Second
	maxTunnelRoom = 1 << 20
)

// Validate reports everything that is wrong, each problem with its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: must be %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Token == "" && !c.secure() {
		bad("token", "set when there are no certificates")
	} else if c.Token != "" && len(c.Token) < minToken {
		bad("token", "at least %d bytes", minToken)
	}
	if c.CertFile != "" || c.KeyFile != "" || c.CAFile != "" {
		for _, f := range []struct{ key, value string }{
			{"cert_file", c.CertFile}, {"key_file", c.KeyFile}, {"ca_file", c.CAFile},
		} {
			if f.value == "" {
				bad(f.key, "set together with cert_file, key_file and ca_file")
			}
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"backoff_base", c.BackoffBase}, {"backoff_max", c.BackoffMax}, {"connect_timeout", c.ConnectTimeout},
		{"keepalive_timeout", c.KeepaliveTimeout}, {"idle_after", c.IdleAfter}, {"call_timeout", c.CallTimeout},
		{"forward_timeout", c.ForwardTimeout}, {"tunnel_open_timeout", c.TunnelOpenTimeout},
		{"tunnel_stall", c.TunnelStall}, {"tunnel_linger", c.TunnelLinger},
	} {
		if d.value <= 0 {
			bad(d.key, "more than 0s")
		}
	}
	if c.BackoffMax < c.BackoffBase {
		bad("backoff_max", "at least backoff_base")
	}
	if c.KeepaliveEvery < minKeepalive {
		bad("keepalive_every", "at least %v", minKeepalive)
	}
	if c.DeliverWithin < 0 {
		bad("deliver_within", "0s or more")
	}
	if c.QueueMessages < 1 {
		bad("queue_messages", "at least 1")
	}
	if c.QueueBytes < 1 {
		bad("queue_bytes", "at least 1")
	}
	if c.MaxForwardBytes < 1 {
		bad("max_forward_bytes", "at least 1")
	}
	if c.MaxMessageBytes < c.MaxForwardBytes+headroom {
		bad("max_message_bytes", "at least max_forward_bytes and %d more", headroom)
	}
	if c.TunnelBuffer < 1<<10 || c.TunnelBuffer > maxTunnelRoom {
		bad("tunnel_buffer", "1024 to %d", maxTunnelRoom)
	}
	return errors.Join(errs...)
}

// secure tells whether certificates are configured.
func (c *Config) secure() bool { return c.CertFile != "" || c.KeyFile != "" || c.CAFile != "" }
