package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// CallbackConfig names a component that says whose a token is: the service
// sluice.v1.Verifier. The settings that are about keys and claims are then the
// component's own business.
type CallbackConfig struct {
	// Address of the component's gRPC port, host:port. Default "": this type has
	// keys. A name with several addresses is balanced over all of them.
	Address string `toml:"address"`

	// Token is a secret that the component knows its callers by; it goes with
	// every call as sluice-token. Default none.
	Token string `toml:"token"`

	// TokenFile is the path of a file with the token. One line break at its end
	// is not part of it.
	TokenFile string `toml:"token_file"`

	// TLS encrypts the calls and checks the component's certificate. Default
	// false, for an inner network.
	TLS bool `toml:"tls"`

	// CAFile is a PEM file with the authorities to trust. Default "", the
	// system's.
	CAFile string `toml:"ca_file"`

	// CertFile and KeyFile are a PEM certificate and key that prove this gateway
	// to the component. Default none. Both or neither.
	CertFile string `toml:"cert_file"`

	// KeyFile is the key of CertFile.
	KeyFile string `toml:"key_file"`

	// ServerName is the name that the component's certificate must have. Default
	// "", the host of Address.
	ServerName string `toml:"server_name"`

	// Timeout bounds one call. Default 1s, at most 30s; 0 is the default. It must
	// be below gateway.auth_timeout.
	Timeout time.Duration `toml:"timeout"`

	// CacheFor is how long an answer is used again, though never beyond the end
	// of its identity. It is how long the component's change of mind takes to be
	// heard. Default 60s, at most 1h; 0 is the default.
	CacheFor time.Duration `toml:"cache_for"`

	// RefusedFor is how long a refusal is used again, so that one wrong token in
	// a loop is one call. Default 5s, at most CacheFor; 0 is the default.
	RefusedFor time.Duration `toml:"refused_for"`

	// CacheSize is how many answers are kept. Default 10000, at most 1000000; 0
	// is the default. Only a hash of each token is kept.
	CacheSize int `toml:"cache_size"`

	// MaxCalls is how many calls may be open at once; tokens beyond it are
	// refused as unavailable. Default 256, at most 10000; 0 is the default.
	MaxCalls int `toml:"max_calls"`

	// BreakerFailures is how many calls must fail one after the other until no
	// more are made for BreakerOpen. Default 5, at most 1000; 0 is the default.
	BreakerFailures int `toml:"breaker_failures"`

	// BreakerOpen is the time after which one call tries again. Default 5s, at
	// most 5m; 0 is the default. Until it succeeds, tokens that are not in the
	// cache are refused as unavailable, at once.
	BreakerOpen time.Duration `toml:"breaker_open"`
}

func (c CallbackConfig) filled() CallbackConfig {
	or(&c.Timeout, time.Second)
	or(&c.CacheFor, time.Minute)
	or(&c.RefusedFor, min(5*time.Second, c.CacheFor))
	or(&c.CacheSize, 10_000)
	or(&c.MaxCalls, 256)
	or(&c.BreakerFailures, 5)
	or(&c.BreakerOpen, 5*time.Second)
	return c
}

// or sets what is zero.
func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Within is how long a verification may wait for the component; 0 for types with
// keys.
func (c CallbackConfig) Within() time.Duration {
	if c.Address == "" {
		return 0
	}
	return c.filled().Timeout
}

func (c *CallbackConfig) validate(p *problems, key string) {
	if c.Address == "" {
		if *c != (CallbackConfig{}) {
			p.add(key+"address", "must be set for the other settings to have a meaning")
		}
		return
	}
	if host, port, err := net.SplitHostPort(c.Address); err != nil || host == "" || port == "" {
		p.add(key+"address", "must be host:port")
	}
	if c.Token != "" && c.TokenFile != "" {
		p.add(key+"token", "must not be given together with token_file")
	}
	if !c.TLS && (c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" || c.ServerName != "") {
		p.add(key+"tls", "must be set when there is a ca_file, cert_file, key_file or server_name")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		p.add(key+"cert_file", "must be set together with key_file")
	}
	for _, d := range []struct {
		name     string
		v, least time.Duration
		most     time.Duration
	}{
		{"timeout", c.Timeout, 0, 30 * time.Second},
		{"cache_for", c.CacheFor, 0, time.Hour},
		{"refused_for", c.RefusedFor, 0, c.filled().CacheFor},
		{"breaker_open", c.BreakerOpen, 0, 5 * time.Minute},
	} {
		if d.v < d.least || d.v > d.most {
			p.add(key+d.name, "must be between %v and %v", d.least, d.most)
		}
	}
	p.between(key+"cache_size", c.CacheSize, 0, 1_000_000)
	p.between(key+"max_calls", c.MaxCalls, 0, 10_000)
	p.between(key+"breaker_failures", c.BreakerFailures, 0, 1000)
}

// onlyCallback refuses settings of keys and claims, which nobody would look at.
func (t *Type) onlyCallback(p *problems, key string) {
	for name, set := range map[string]bool{
		"algorithms": len(t.Algorithms) > 0, "issuer": t.Issuer != "", "audience": len(t.Audience) > 0, "leeway": t.Leeway != 0,
	} {
		if set {
			p.add(key+name, "must be empty with a callback: the component checks its tokens itself")
		}
	}
}

// credentials of the connection; it reads the certificate files.
func (c *CallbackConfig) credentials() (credentials.TransportCredentials, error) {
	if !c.TLS {
		return insecure.NewCredentials(), nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca_file: no certificate in it")
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return credentials.NewTLS(t), nil
}

// secret is the token, from wherever it is given.
func (c *CallbackConfig) secret() (string, error) {
	if c.TokenFile == "" {
		return c.Token, nil
	}
	b, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
