package api

import (
	"strings"
	"testing"
	"time"
)

func goodComponent() ComponentConfig {
	return ComponentConfig{Name: "docs", Tokens: []string{"0123456789abcdef"}, Methods: []string{"*"}, Documents: []string{"*"}}
}

func TestDefaultsNeedOnlyAComponent(t *testing.T) {
	cfg := DefaultConfig()
	err := cfg.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), "component: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without components: %v", err)
	}
	cfg.Components = []ComponentConfig{goodComponent()}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemIsReportedUnderItsKey(t *testing.T) {
	for key, spoil := range map[string]func(c *Config){
		"default_deadline":               func(c *Config) { c.DefaultDeadline = 0 },
		"max_deadline":                   func(c *Config) { c.MaxDeadline = time.Second },
		"limits.max_targets":             func(c *Config) { c.Limits.MaxTargets = 0 },
		"limits.max_payload":             func(c *Config) { c.Limits.MaxPayload = 1 },
		"limits.max_push_bytes":          func(c *Config) { c.Limits.MaxPushBytes = 10 },
		"limits.max_attachments":         func(c *Config) { c.Limits.MaxAttachments = 64 },
		"limits.max_depth":               func(c *Config) { c.Limits.MaxDepth = 1001 },
		"limits.max_event_name":          func(c *Config) { c.Limits.MaxEventName = 0 },
		"limits.max_namespace":           func(c *Config) { c.Limits.MaxNamespace = 0 },
		"limits.max_except":              func(c *Config) { c.Limits.MaxExcept = -1 },
		"limits.max_filter":              func(c *Config) { c.Limits.MaxFilter = -1 },
		"limits.max_documents":           func(c *Config) { c.Limits.MaxDocuments = 0 },
		"limits.max_selected":            func(c *Config) { c.Limits.MaxSelected = 0 },
		"work.push_records":              func(c *Config) { c.Work.PushRecords = 0 },
		"work.stream_requests":           func(c *Config) { c.Work.StreamRequests = 0 },
		"work.lookups":                   func(c *Config) { c.Work.Lookups = 0 },
		"work.calls":                     func(c *Config) { c.Work.Calls = 0 },
		"work.chunk":                     func(c *Config) { c.Work.Chunk = 0 },
		"subscribe.max_streams":          func(c *Config) { c.Subscribe.MaxStreams = 0 },
		"subscribe.pending":              func(c *Config) { c.Subscribe.Pending = 0 },
		"subscribe.pending_socket":       func(c *Config) { c.Subscribe.PendingSocket = 0 },
		"subscribe.ack_timeout":          func(c *Config) { c.Subscribe.AckTimeout = 0 },
		"subscribe.attempts":             func(c *Config) { c.Subscribe.Attempts = 0 },
		"subscribe.backoff":              func(c *Config) { c.Subscribe.Backoff = 0 },
		"subscribe.start_timeout":        func(c *Config) { c.Subscribe.StartTimeout = 0 },
		"subscribe.linger":               func(c *Config) { c.Subscribe.Linger = -1 },
		"subscribe.drain_timeout":        func(c *Config) { c.Subscribe.DrainTimeout = -1 },
		"subscribe.restart_delay":        func(c *Config) { c.Subscribe.RestartDelay = 0 },
		"subscribe.remember":             func(c *Config) { c.Subscribe.Remember = -1 },
		"server.max_message":             func(c *Config) { c.Server.MaxMessage = 1_100_000 },
		"server.max_header":              func(c *Config) { c.Server.MaxHeader = 0 },
		"server.max_streams":             func(c *Config) { c.Server.MaxStreams = 0 },
		"server.connect_timeout":         func(c *Config) { c.Server.ConnectTimeout = 0 },
		"server.ping_interval":           func(c *Config) { c.Server.PingInterval = 0 },
		"server.ping_timeout":            func(c *Config) { c.Server.PingTimeout = 0 },
		"server.min_ping":                func(c *Config) { c.Server.MinPing = 0 },
		"component[0].name":              func(c *Config) { c.Components[0].Name = "Docs" },
		"component[0].tokens":            func(c *Config) { c.Components[0].Tokens = nil },
		"component[0].tokens[0]":         func(c *Config) { c.Components[0].Tokens[0] = "short" },
		"component[0].methods":           func(c *Config) { c.Components[0].Methods = nil },
		"component[0].methods[0]":        func(c *Config) { c.Components[0].Methods = []string{"push"} },
		"component[0].documents[0]":      func(c *Config) { c.Components[0].Documents = []string{""} },
		"component[0].events[0]":         func(c *Config) { c.Components[0].Events = []string{"a*b"} },
		"component[0].namespaces[1]":     func(c *Config) { c.Components[0].Namespaces = []string{"/", "**"} },
		"component[0].quotas.pushes":     func(c *Config) { c.Components[0].Quotas.Pushes = -1 },
		"component[0].quotas.bytes":      func(c *Config) { c.Components[0].Quotas.Bytes = -1 },
		"component[0].quotas.push_burst": func(c *Config) { c.Components[0].Quotas.PushBurst = -1 },
		"component[0].quotas.in_flight":  func(c *Config) { c.Components[0].Quotas.InFlight = -1 },
		"component[1].name":              func(c *Config) { c.Components = append(c.Components, goodComponent()) },
		"component[1].certificate": func(c *Config) {
			c.Components[0].Certificate = "x"
			c.Components = append(c.Components, ComponentConfig{Name: "b", Certificate: "x", Methods: []string{"Push"}})
		},
	} {
		t.Run(key, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Components = []ComponentConfig{goodComponent()}
			spoil(&cfg)
			err := cfg.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), key+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
	cfg := Config{Components: []ComponentConfig{{}}}
	if err := cfg.Validate(); err == nil || strings.Count(err.Error(), "\n") < 25 {
		t.Errorf("an empty config: %v", err)
	}
}

func TestProblemsNeverShowATokenOrCertificate(t *testing.T) {
	cfg := DefaultConfig()
	c := goodComponent()
	c.Tokens = []string{"hunter2"}
	cfg.Components = []ComponentConfig{c}
	if err := cfg.Validate(); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
