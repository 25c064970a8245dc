package transport

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// Config is how sessions are kept. Start from DefaultConfig.
type Config struct {
	// Path is where clients connect. It is answered with and without a slash at
	// its end, and nothing below it. Default "/socket.io/". Empty: whatever path
	// the server is mounted on. Change it together with the clients.
	Path string `toml:"path"`
	// Transports that clients may use, of "polling" and "websocket". Default
	// both. Without polling sessions are cheaper, but clients behind proxies
	// that break WebSocket are shut out.
	Transports []string `toml:"transports"`
	// AllowUpgrades offers the WebSocket to polling sessions. Default true.
	AllowUpgrades bool `toml:"allow_upgrades"`
	// AllowEIO3 admits clients of Engine.IO 3 (Socket.IO 2). Default true.
	AllowEIO3 bool `toml:"allow_eio3"`
	// MaxURL is the longest request target in bytes. Default 2048. 0: only the
	// HTTP server's own limit holds. Raise it for tokens in the query.
	MaxURL int `toml:"max_url"`

	// PingInterval is the time between heartbeats; clients are told and expect
	// it. Default 25s. Longer is cheaper, but proxies drop silent connections,
	// and the dead are noticed later.
	PingInterval time.Duration `toml:"ping_interval"`
	// PingTimeout is how long an answer may take before the session is closed.
	// Default 20s. Longer survives worse networks.
	PingTimeout time.Duration `toml:"ping_timeout"`
	// HeartbeatGrowAfter makes the intervals each session's own: after this many
	// good beats the interval grows, up to PingInterval, which is what clients are
	// told. Default 3, at most 255. 0: always PingInterval. The connections that
	// proxies or networks drop early show in the first minutes, and are found
	// then; it costs 9 pings in the first 135s instead of 5, and none later:
	// 100,000 idle sockets are sent 10,000 pings a second for 30s, and 4,000 once
	// they have been up for 135s, as with a fixed interval of 25s.
	HeartbeatGrowAfter int `toml:"heartbeat_grow_after"`
	// HeartbeatStart is the first interval then. Default 10s. With a PingInterval
	// that is not above it, all intervals are PingInterval.
	HeartbeatStart time.Duration `toml:"heartbeat_start"`
	// HeartbeatStep is how much an interval grows at a time. Default 5s.
	HeartbeatStep time.Duration `toml:"heartbeat_step"`
	// HeartbeatMissed is after what silence a beat counts as missed. Default 5s,
	// at most half of PingTimeout. Keep it well above round-trip times.
	HeartbeatMissed time.Duration `toml:"heartbeat_missed"`
	// HeartbeatRetry is the interval after a missed beat. Default 1s.
	HeartbeatRetry time.Duration `toml:"heartbeat_retry"`

	// Reader is how WebSockets are read: "goroutine" has one for each, "reactor"
	// none while they are silent, which takes a third of the memory and exists
	// on Linux only. Default "auto": the reactor where there is one.
	Reader string `toml:"reader"`
	// Writer is how a push leaves for many plain connections: "calls" makes a
	// system call for each, "ring" one for up to 64 of them, through io_uring,
	// which saves a quarter of the CPU where the kernel permits it. Default
	// "auto": io_uring where it may be used.
	Writer string `toml:"writer"`

	// UpgradeTimeout bounds the change from polling to WebSocket. Default 10s.
	UpgradeTimeout time.Duration `toml:"upgrade_timeout"`
	// PostTimeout bounds the reading of a POST body. Default 10s.
	PostTimeout time.Duration `toml:"post_timeout"`
	// WriteTimeout closes a session that takes nothing of what is queued for it
	// for so long. Default 30s.
	WriteTimeout time.Duration `toml:"write_timeout"`
	// CloseTimeout is how long a closed session waits for the client to take
	// notice before its connection is cut. Default 5s.
	CloseTimeout time.Duration `toml:"close_timeout"`
	// FlushTimeout bounds Session.CloseAfterFlush. Default 10s.
	FlushTimeout time.Duration `toml:"flush_timeout"`

	// MaxPayload is the largest message and the largest POST in bytes; clients
	// are told. Default 1000000. It is also memory that one client can take.
	MaxPayload int `toml:"max_payload"`
	// MaxPackets is how many packets a POST may hold. Default 64.
	MaxPackets int `toml:"max_packets"`
	// MaxFragments is how many frames a WebSocket message may come in. Default 64.
	MaxFragments int `toml:"max_fragments"`
	// MaxControls is how many WebSocket control frames a client may send per
	// second. Default 5.
	MaxControls int `toml:"max_controls"`
	// BacklogBytes is how much may wait for one client besides the frame that is
	// leaving. Default 2097152, two of the largest messages. When as much or more
	// waits, the next frame closes the session as slow: one frame is taken whatever
	// its size. What nobody takes for WriteTimeout closes it, too.
	BacklogBytes int `toml:"backlog_bytes"`
	// BacklogTotal is how much may wait for all clients together. Default
	// 268435456. While as much waits, a client may have only an eighth of
	// BacklogBytes, so that those furthest behind are closed first; that share falls
	// to nothing at twice the total, which is never exceeded by more than two
	// frames a client. What waits for many is in memory once but counted for each.
	BacklogTotal int `toml:"backlog_total"`
	// SendBuffer is the kernel's send buffer of a WebSocket in bytes (Linux uses
	// double). Default 65536. 0: the system's choice, which for a client that
	// stalls may be megabytes.
	SendBuffer int `toml:"send_buffer"`

	// Deflate offers compression of WebSocket messages (permessage-deflate, without
	// context takeover) to clients that ask for it. Default false: it costs CPU
	// for each message that comes and for each that is sent, once for all its
	// receivers. Turn it on where traffic is dearer.
	Deflate bool `toml:"deflate"`
	// DeflateAbove is from how many bytes on what is sent is compressed. Default
	// 1024, as in the reference.
	DeflateAbove int `toml:"deflate_above"`
	// DeflateUnproven is the largest message in bytes, inflated, of a client that
	// negotiated compression and has not shown yet who it is. Default 16384: room
	// for a token, as browsers compress that message too. Afterwards MaxPayload.
	DeflateUnproven int `toml:"deflate_unproven"`

	// Origins that browsers may come from: exact "scheme://host[:port]" values,
	// "null", or "*" for any. Default none: only pages of the host that the
	// request went to. Requests without Origin do not come from browsers and are
	// not checked.
	Origins []string `toml:"origins"`
	// CORS answers preflight requests and lets scripts from Origins read the
	// answers. Default false. Needed when pages of another host use polling.
	CORS bool `toml:"cors"`
	// CORSCredentials lets those requests carry cookies. Default false. The
	// server itself uses none; a load balancer may.
	CORSCredentials bool `toml:"cors_credentials"`
	// CORSHeaders are the request headers that scripts may set. Default none:
	// those that the preflight asks for.
	CORSHeaders []string `toml:"cors_headers"`
	// CORSMaxAge is how long browsers may remember a preflight. Default 0: their
	// own choice.
	CORSMaxAge time.Duration `toml:"cors_max_age"`

	// CompressPolls is from how many bytes on the answer to a poll is compressed,
	// when the client accepts gzip or deflate. Default 1024, as in the reference:
	// it saves three quarters of the bytes for 8 us of CPU a KiB (0.16 ms for 64
	// KiB), spent once for a message that many poll for. 0: never, when a proxy
	// in front compresses.
	CompressPolls int `toml:"compress_polls"`
	// Cookie is for balancers only.
	Cookie CookieConfig `toml:"cookie"`
}

// Values of Config.Reader.
const (
	readerAuto      = "auto"
	readerGoroutine = "goroutine"
	readerReactor   = "reactor"

	writerAuto  = "auto"
	writerCalls = "calls"
	writerRing  = "ring"
)

// DefaultConfig is what an empty section means.
func DefaultConfig() Config {
	return Config{
		Path:               "/socket.io/",
		Transports:         []string{"polling", "websocket"},
		AllowUpgrades:      true,
		AllowEIO3:          true,
		MaxURL:             2048,
		PingInterval:       25 * time.Second,
		PingTimeout:        20 * time.Second,
		HeartbeatGrowAfter: 3,
		HeartbeatStart:     10 * time.Second,
		HeartbeatStep:      5 * time.Second,
		HeartbeatMissed:    5 * time.Second,
		HeartbeatRetry:     time.Second,
		Reader:             readerAuto,
		Writer:             writerAuto,
		UpgradeTimeout:     10 * time.Second,
		PostTimeout:        10 * time.Second,
		WriteTimeout:       30 * time.Second,
		CloseTimeout:       5 * time.Second,
		FlushTimeout:       10 * time.Second,
		MaxPayload:         1_000_000,
		MaxPackets:         64,
		MaxFragments:       64,
		MaxControls:        5,
		BacklogBytes:       2 << 20,
		BacklogTotal:       256 << 20,
		SendBuffer:         65_536,
		CompressPolls:      1024,
		DeflateAbove:       1024,
		DeflateUnproven:    16_384,
		Cookie:             CookieConfig{Path: "/", HTTPOnly: true, SameSite: "lax"},
	}
}

// Validate reports everything that is wrong with the config, joined.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		bad("path: must begin with a slash, is %q", c.Path)
	}
	if len(c.Transports) == 0 {
		bad("transports: must name at least one")
	}
	for _, t := range c.Transports {
		if t != "polling" && t != "websocket" {
			bad("transports: must be of polling and websocket, has %q", t)
		}
	}
	if c.Writer != writerAuto && c.Writer != writerCalls && c.Writer != writerRing {
		bad("writer: must be %s, %s or %s, is %q", writerAuto, writerCalls, writerRing, c.Writer)
	}
	if c.Reader != readerAuto && c.Reader != readerGoroutine && c.Reader != readerReactor {
		bad("reader: must be %s, %s or %s, is %q", readerAuto, readerGoroutine, readerReactor, c.Reader)
	}
	for _, o := range c.Origins {
		if !validOrigin(o) {
			bad("origins: must be scheme://host[:port], null or *, has %q", o)
		}
	}
	errs = append(errs, c.checkTimes()...)
	errs = append(errs, c.checkSizes()...)
	errs = append(errs, c.Cookie.check()...)
	return errors.Join(errs...)
}

func (c *Config) checkTimes() (errs []error) {
	const least, most = 10 * time.Millisecond, 24 * time.Hour
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"ping_interval", c.PingInterval}, {"ping_timeout", c.PingTimeout},
		{"heartbeat_start", c.HeartbeatStart}, {"heartbeat_step", c.HeartbeatStep},
		{"heartbeat_missed", c.HeartbeatMissed}, {"heartbeat_retry", c.HeartbeatRetry},
		{"upgrade_timeout", c.UpgradeTimeout}, {"post_timeout", c.PostTimeout},
		{"write_timeout", c.WriteTimeout}, {"close_timeout", c.CloseTimeout},
		{"flush_timeout", c.FlushTimeout},
	} {
		if d.value < least || d.value > most {
			errs = append(errs, fmt.Errorf("%s: must be from %v to %v, is %v", d.key, least, most, d.value))
		}
	}
	if c.HeartbeatGrowAfter < 0 || c.HeartbeatGrowAfter > 255 {
		errs = append(errs, fmt.Errorf("heartbeat_grow_after: must be from 0 to 255, is %d", c.HeartbeatGrowAfter))
	}
	if c.CORSMaxAge < 0 {
		errs = append(errs, errors.New("cors_max_age: must not be negative"))
	}
	return errs
}

func (c *Config) checkSizes() (errs []error) {
	for _, n := range []struct {
		key         string
		value       int
		least, most int
	}{
		{"max_url", c.MaxURL, 0, 1 << 20},
		{"max_payload", c.MaxPayload, 128, 1 << 30},
		{"max_packets", c.MaxPackets, 1, 1 << 20},
		{"max_fragments", c.MaxFragments, 1, 1 << 15},
		{"max_controls", c.MaxControls, 1, 255},
		{"backlog_bytes", c.BacklogBytes, 1024, 1 << 30},
		{"backlog_total", c.BacklogTotal, c.BacklogBytes, math.MaxInt},
		{"send_buffer", c.SendBuffer, 0, 1 << 30},
		{"compress_polls", c.CompressPolls, 0, 1 << 30},
		{"deflate_above", c.DeflateAbove, 0, 1 << 30},
		{"deflate_unproven", c.DeflateUnproven, 1, 1 << 30},
	} {
		if n.value < n.least || n.value > n.most {
			errs = append(errs, fmt.Errorf("%s: must be from %d to %d, is %d", n.key, n.least, n.most, n.value))
		}
	}
	return errs
}

// validOrigin tells whether o is what a browser could send, so that a list
// entry with a path or a slash at the end does not silently match nothing.
func validOrigin(o string) bool {
	if o == "*" || o == "null" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && u.Scheme != "" && u.Host != "" && o == strings.ToLower(u.Scheme+"://"+u.Host)
}
