package app

import (
	"errors"
	"net"
	"time"
)

// EdgeConfig is the port for clients.
type EdgeConfig struct {
	// Listen is host:port for clients. Default "127.0.0.1:9000"; ":9000" listens
	// on every interface, "localhost:9000" on both loopbacks, IPv4 and IPv6.
	Listen string `toml:"listen"`
	// CertFile is the certificate chain (PEM). Default none: plain, behind a
	// balancer that ends TLS. A changed file is used within ReloadEvery.
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key (PEM) of CertFile.
	KeyFile string `toml:"key_file"`
	// ReloadEvery is the time between two looks at the certificate files.
	// Default 10s.
	ReloadEvery time.Duration `toml:"reload_every"`
	// HeaderTimeout bounds the TLS handshake, and then a request's header.
	// Default 5s.
	HeaderTimeout time.Duration `toml:"header_timeout"`
	// MaxHeaderBytes bounds a request's header. Default 8192; tokens travel in
	// it when clients send them in the query.
	MaxHeaderBytes int `toml:"max_header_bytes"`
	// IdleTimeout is how long a kept-alive connection may wait for its next
	// request. Default 75s, above what balancers use.
	IdleTimeout time.Duration `toml:"idle_timeout"`
}

// DefaultEdgeConfig returns the defaults.
func DefaultEdgeConfig() EdgeConfig {
	return EdgeConfig{
		Listen: "127.0.0.1:9000", ReloadEvery: 10 * time.Second, HeaderTimeout: 5 * time.Second,
		MaxHeaderBytes: 8192, IdleTimeout: 75 * time.Second,
	}
}

// Validate reports everything that is wrong.
func (c *EdgeConfig) Validate() error {
	var errs []error
	bad := func(text string) { errs = append(errs, errors.New(text)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen: must be host:port")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		bad("cert_file: must be set together with key_file")
	}
	if c.ReloadEvery <= 0 {
		bad("reload_every: must be above 0")
	}
	if c.HeaderTimeout <= 0 {
		bad("header_timeout: must be above 0")
	}
	if c.MaxHeaderBytes < 1024 {
		bad("max_header_bytes: must be at least 1024")
	}
	if c.IdleTimeout <= 0 {
		bad("idle_timeout: must be above 0")
	}
	return errors.Join(errs...)
}
