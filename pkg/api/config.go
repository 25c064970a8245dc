package api

import (
	"errors"
	"fmt"
	"time"
)

// Config holds the settings of the service. Start from DefaultConfig.
type Config struct {
	// Components are the services that may call, one [[component]] entry each. At
	// least one is needed. SetComponents replaces them at run time.
	Components []ComponentConfig `toml:"component"`

	// DefaultDeadline bounds calls that carry no deadline, and each request of a
	// PushStream. Default 3s, must not be zero. Raise it when callers cannot set one.
	DefaultDeadline time.Duration `toml:"default_deadline"`
	// MaxDeadline cuts later deadlines. Default 30s, must not be below
	// default_deadline: a caller that waits longer than that is a leak.
	MaxDeadline time.Duration `toml:"max_deadline"`

	Limits    Limits          `toml:"limits"`
	Work      WorkConfig      `toml:"work"`
	Subscribe SubscribeConfig `toml:"subscribe"`
	Server    ServerConfig    `toml:"server"`
}

// WorkConfig bounds how much one request does at once.
type WorkConfig struct {
	// PushRecords is how many Kafka records of one push may wait for their acks.
	// Default 256. More makes pushes to many targets faster and less fair.
	PushRecords int `toml:"push_records"`
	// StreamRequests is how many requests of one PushStream may wait for their
	// acks. Default 64; 1 waits for each before the next is read.
	StreamRequests int `toml:"stream_requests"`
	// Lookups is how many look-ups or inner calls of one request run at once.
	// Default 32.
	Lookups int `toml:"lookups"`
	// Calls is how many sockets of a user one Call may reach, all at once. Default
	// 128; a user with more is refused.
	Calls int `toml:"calls"`
	// Chunk is how many sockets are looked up, or sent to a gateway, in one
	// request. Default 500.
	Chunk int `toml:"chunk"`
}

// SubscribeConfig bounds the delivery of upstream events.
type SubscribeConfig struct {
	// MaxStreams is how many Subscribe streams one component may have open on this
	// process. Default 64.
	MaxStreams int `toml:"max_streams"`
	// Pending is how many events of one component are in memory, delivered or about
	// to be; beyond it nothing more is taken from Kafka. Default 4096. The sum of
	// its streams' max_in_flight bounds them too. An event may have up to 1 MB.
	Pending int `toml:"pending"`
	// PendingSocket is the same bound for one socket, whose events are delivered one
	// by one. Default 64. It keeps one busy socket from taking everything.
	PendingSocket int `toml:"pending_socket"`
	// AckTimeout is how long a delivered event may wait for its ack before it counts
	// as nacked. Default 30s, must not be zero. It must be above what a handler
	// needs, and the ack_timeout of the Kafka consumer must be some times longer:
	// events of one socket wait for each other.
	AckTimeout time.Duration `toml:"ack_timeout"`
	// Attempts is how often an event that is nacked is delivered in all, before it
	// is left to the dead-letter topic. Default 5. Streams that end do not count.
	Attempts int `toml:"attempts"`
	// Backoff is the pause before the second attempt; it doubles from one to the
	// next. Default 100ms, must not be zero. Later events of the socket wait too.
	Backoff time.Duration `toml:"backoff"`
	// StartTimeout is how long a new stream may take to send its start. Default 5s,
	// must not be zero.
	StartTimeout time.Duration `toml:"start_timeout"`
	// Linger is how long the consumer is kept after the component's last stream has
	// ended, so that a reconnect does not cost a rebalance. Its partitions stand
	// still meanwhile. Default 2s; zero stops it at once.
	Linger time.Duration `toml:"linger"`
	// DrainTimeout is how long a leaving process waits for acks of what it has
	// delivered. Default 5s; zero does not wait, and those events come twice.
	DrainTimeout time.Duration `toml:"drain_timeout"`
	// RestartDelay is the pause before a consumer that failed is started again.
	// Default 1s, must not be zero.
	RestartDelay time.Duration `toml:"restart_delay"`
	// Remember is how many message ids of acked events are kept for each component
	// to drop duplicates, and how many attempt numbers of events that came back.
	// Default 65536, about 2 MB; zero drops no duplicates.
	Remember int `toml:"remember"`
}

// ServerConfig holds the limits of the gRPC server, see ServerOptions.
type ServerConfig struct {
	// MaxMessage is the largest request or response in bytes. Default 4,194,304
	// (4 MiB), must hold limits.max_payload and 10,000 targets.
	MaxMessage int `toml:"max_message"`
	// MaxHeader is the largest size of a request's metadata in bytes. Default 16,384.
	MaxHeader int `toml:"max_header"`
	// MaxStreams is how many calls one connection may have open. Default 1,000.
	MaxStreams int `toml:"max_streams"`
	// ConnectTimeout is how long a connection may take for its handshakes. Default 5s.
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	// PingInterval is how long a connection may be silent before it is pinged.
	// Default 30s.
	PingInterval time.Duration `toml:"ping_interval"`
	// PingTimeout is how long the answer may take before the connection is closed.
	// Default 10s.
	PingTimeout time.Duration `toml:"ping_timeout"`
	// MinPing is the shortest interval of a client's own pings; one that pings more
	// often is closed. Default 10s.
	MinPing time.Duration `toml:"min_ping"`
}

// answerRoom is how many bytes of a response may be what it is about; the rest is for
// names and framing.
func (c *ServerConfig) answerRoom() int { return c.MaxMessage / 4 * 3 }

// DefaultConfig returns the settings that the field comments name. It has no
// components, so it is not valid by itself.
func DefaultConfig() Config {
	return Config{
		DefaultDeadline: 3 * time.Second,
		MaxDeadline:     30 * time.Second,
		Limits:          DefaultLimits(),
		Work:            WorkConfig{PushRecords: 256, StreamRequests: 64, Lookups: 32, Calls: 128, Chunk: 500},
		Subscribe: SubscribeConfig{
			MaxStreams: 64, Pending: 4096, PendingSocket: 64,
			AckTimeout: 30 * time.Second, Attempts: 5, Backoff: 100 * time.Millisecond,
			StartTimeout: 5 * time.Second, Linger: 2 * time.Second, DrainTimeout: 5 * time.Second,
			RestartDelay: time.Second, Remember: 65536,
		},
		Server: ServerConfig{
			MaxMessage: 4 << 20, MaxHeader: 16 << 10, MaxStreams: 1000, ConnectTimeout: 5 * time.Second,
			PingInterval: 30 * time.Second, PingTimeout: 10 * time.Second, MinPing: 10 * time.Second,
		},
	}
}

// Validate returns all problems at once, each beginning with its key.
func (c *Config) Validate() error {
	v := problems{}
	v.positive("default_deadline", c.DefaultDeadline)
	if c.MaxDeadline < c.DefaultDeadline {
		v.add("max_deadline: must not be below default_deadline")
	}
	v.errs = append(v.errs, c.Limits.problems()...)
	v.between("work.push_records", c.Work.PushRecords, 1, 100_000)
	v.between("work.stream_requests", c.Work.StreamRequests, 1, 10_000)
	v.between("work.lookups", c.Work.Lookups, 1, 1_000)
	v.between("work.calls", c.Work.Calls, 1, 10_000)
	v.between("work.chunk", c.Work.Chunk, 1, 10_000)
	c.Subscribe.problems(&v)
	c.Server.problems(&v)
	if c.Server.MaxMessage < c.Limits.MaxPayload+c.Limits.MaxPayload/4 {
		v.add("server.max_message: must hold limits.max_payload and a quarter more")
	}
	_, err := compile(c.Components)
	return errors.Join(append(v.errs, err)...)
}

func (c *SubscribeConfig) problems(v *problems) {
	v.between("subscribe.max_streams", c.MaxStreams, 1, 10_000)
	v.between("subscribe.pending", c.Pending, 1, 1_000_000)
	v.between("subscribe.pending_socket", c.PendingSocket, 1, 1_000_000)
	v.positive("subscribe.ack_timeout", c.AckTimeout)
	v.between("subscribe.attempts", c.Attempts, 1, 100)
	v.positive("subscribe.backoff", c.Backoff)
	v.positive("subscribe.start_timeout", c.StartTimeout)
	v.notNegative("subscribe.linger", c.Linger)
	v.notNegative("subscribe.drain_timeout", c.DrainTimeout)
	v.positive("subscribe.restart_delay", c.RestartDelay)
	v.between("subscribe.remember", c.Remember, 0, 10_000_000)
}

func (c *ServerConfig) problems(v *problems) {
	v.between("server.max_message", c.MaxMessage, 1<<10, 256<<20)
	v.between("server.max_header", c.MaxHeader, 1<<10, 1<<20)
	v.between("server.max_streams", c.MaxStreams, 1, 1_000_000)
	v.positive("server.connect_timeout", c.ConnectTimeout)
	v.positive("server.ping_interval", c.PingInterval)
	v.positive("server.ping_timeout", c.PingTimeout)
	v.positive("server.min_ping", c.MinPing)
}

// problems collects what Validate finds.
type problems struct{ errs []error }

func (p *problems) add(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *problems) positive(key string, d time.Duration) {
	if d <= 0 {
		p.add("%s: must be above zero, is %s", key, d)
	}
}

func (p *problems) notNegative(key string, d time.Duration) {
	if d < 0 {
		p.add("%s: must not be negative, is %s", key, d)
	}
}

func (p *problems) between(key string, v, low, high int) {
	if v < low || v > high {
		p.add("%s: must be %d to %d, is %d", key, low, high, v)
	}
}
