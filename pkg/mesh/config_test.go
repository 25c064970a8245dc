package mesh

import (
	"strings"
	"testing"
	"time"
)

func TestConfigNeedsATokenAndNothingElse(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "token: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("default: %v", err)
	}
	cfg.Token = "sixteen or more.."
	if err := cfg.Validate(); err != nil {
		t.Errorf("with a token: %v", err)
	}
	cfg.Token, cfg.CertFile, cfg.KeyFile, cfg.CAFile = "", "c", "k", "a"
	if err := cfg.Validate(); err != nil {
		t.Errorf("with certificates: %v", err)
	}
}

func TestConfigReportsEveryProblemByItsKey(t *testing.T) {
	for key, spoil := range map[string]func(*Config){
		"token":               func(c *Config) { c.Token = "short" },
		"cert_file":           func(c *Config) { c.KeyFile, c.CAFile = "k", "a" },
		"key_file":            func(c *Config) { c.CertFile, c.CAFile = "c", "a" },
		"ca_file":             func(c *Config) { c.CertFile, c.KeyFile = "c", "k" },
		"backoff_base":        func(c *Config) { c.BackoffBase = 0 },
		"backoff_max":         func(c *Config) { c.BackoffMax = c.BackoffBase - 1 },
		"connect_timeout":     func(c *Config) { c.ConnectTimeout = -time.Second },
		"keepalive_every":     func(c *Config) { c.KeepaliveEvery = 9 * time.Second },
		"keepalive_timeout":   func(c *Config) { c.KeepaliveTimeout = 0 },
		"idle_after":          func(c *Config) { c.IdleAfter = 0 },
		"queue_messages":      func(c *Config) { c.QueueMessages = 0 },
		"queue_bytes":         func(c *Config) { c.QueueBytes = 0 },
		"deliver_within":      func(c *Config) { c.DeliverWithin = -1 },
		"call_timeout":        func(c *Config) { c.CallTimeout = 0 },
		"max_forward_bytes":   func(c *Config) { c.MaxForwardBytes = 0 },
		"max_message_bytes":   func(c *Config) { c.MaxMessageBytes = c.MaxForwardBytes },
		"forward_timeout":     func(c *Config) { c.ForwardTimeout = 0 },
		"tunnel_open_timeout": func(c *Config) { c.TunnelOpenTimeout = 0 },
		"tunnel_stall":        func(c *Config) { c.TunnelStall = 0 },
		"tunnel_linger":       func(c *Config) { c.TunnelLinger = 0 },
		"tunnel_buffer":       func(c *Config) { c.TunnelBuffer = 1000 },
	} {
		cfg := testConfig()
		spoil(&cfg)
		err := cfg.Validate()
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), key+": must be ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	bad := Config{Token: "short"}
	if err := bad.Validate(); len(strings.Split(err.Error(), "\n")) < 10 {
		t.Errorf("the zero Config: %v", err)
	}
}
