package edge

import (
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.TLS() || c.handshakes() < 1 || c.conns() < 1 {
		t.Errorf("TLS %v, %d handshakes, %d connections", c.TLS(), c.handshakes(), c.conns())
	}
}

func TestEverythingWrongIsReportedAtOnce(t *testing.T) {
	c := Config{
		Listen: "nowhere", ProxyProtocol: []string{"10.0.0.1/8"}, TrustedProxies: []string{"x"}, ForwardedHeader: "X-Real-Ip",
		CertFile: "c", Certificates: []CertificateConfig{{CertFile: "c"}}, MinVersion: "1.1", ClientAuth: "sometimes",
		TicketKeyFile: "t", MaxHandshakes: -1, ConnsPerSecond: -1, MaxConnsPerAddress: -1, MaxConns: -1,
		Health: HealthConfig{Live: "health", Ready: "/a", Accept: "/a"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{
		"listen", "proxy_protocol", "proxy_header_bytes", "trusted_proxies", "forwarded_header", "cert_file", "certificate[0]",
		"min_version", "client_auth", "ticket_rotate_every", "reload_every", "max_handshakes", "conns_per_second",
		"conns_burst", "max_conns_per_address", "max_conns", "max_addresses", "header_timeout", "max_header_bytes", "max_headers",
		"body_timeout", "write_timeout", "idle_timeout", "health.live", "health.accept",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("nothing is said about %s", key)
		}
	}
}

func TestTLSSettingsBelongTogether(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // "" for fine
	}{
		"plain":                     {func(*Config) {}, ""},
		"a pair":                    {func(c *Config) { c.CertFile, c.KeyFile = "c", "k" }, ""},
		"tickets without TLS":       {func(c *Config) { c.TicketKeyFile = "t" }, "ticket_key_file"},
		"names without TLS":         {func(c *Config) { c.Certificates = []CertificateConfig{{"c", "k"}} }, "certificate"},
		"clients without TLS":       {func(c *Config) { c.ClientAuth, c.ClientCAFile = "required", "a" }, "client_auth"},
		"clients without authority": {func(c *Config) { c.CertFile, c.KeyFile, c.ClientAuth = "c", "k", "optional" }, "client_auth: needs"},
		"authorities for nobody":    {func(c *Config) { c.CertFile, c.KeyFile, c.ClientCAFile = "c", "k", "a" }, "client_ca_file"},
		"clients with an authority": {func(c *Config) { c.CertFile, c.KeyFile, c.ClientAuth, c.ClientCAFile = "c", "k", "required", "a" }, ""},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		err := cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
