package bench

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// secureOptions are how clients speak TLS.
type secureOptions struct {
	Name     string `json:"name"` // that the certificate must have
	CAFile   string `json:"ca_file,omitempty"`
	Insecure bool   `json:"insecure,omitempty"`
}

// config makes what crypto/tls takes; nil stays nil. Sessions are not resumed:
// every handshake is a full one.
func (s *secureOptions) config() (*tls.Config, error) {
	if s == nil {
		return nil, nil
	}
	c := &tls.Config{ServerName: s.Name, InsecureSkipVerify: s.Insecure, MinVersion: tls.VersionTLS12}
	if s.CAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", s.CAFile)
	}
	return c, nil
}
