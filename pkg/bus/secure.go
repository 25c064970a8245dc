package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// security is what connections need besides an address; nil means none.
type security struct {
	tls  *tls.Config
	sasl sasl.Mechanism
}

// security reads the TLS files.
func (c *Config) security() (security, error) {
	t, err := c.TLS.config()
	if err != nil {
		return security{}, err
	}
	m, err := c.SASL.mechanism()
	return security{tls: t, sasl: m}, err
}

// config returns nil when TLS is off.
func (t TLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls.ca_file: holds no PEM certificate")
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// mechanism returns nil when there is none.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256":
		return s.scram(scram.SHA256)
	case "scram-sha-512":
		return s.scram(scram.SHA512)
	}
	return nil, fmt.Errorf("sasl.mechanism: %q is not known", s.Mechanism)
}

func (s SASL) scram(hash scram.Algorithm) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(hash, s.Username, s.Password)
	if err != nil {
		// The cause repeats the user name or worse.
		return nil, errors.New("sasl.username: it or the password has characters that are not allowed")
	}
	return m, nil
}
