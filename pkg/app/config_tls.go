package app

import (
	"errors"
	"time"
)

// ComponentTLSConfig is TLS for the calls of components.
type ComponentTLSConfig struct {
	// CertFile is the server's certificate chain (PEM). Default none: plaintext,
	// for an inner network. Changed files are used within ReloadEvery.
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key (PEM) of CertFile.
	KeyFile string `toml:"key_file"`
	// ClientCAFile holds the authorities (PEM) of components' certificates. With
	// it a component may prove itself by its certificate instead of a token, see
	// certificate in [[api.component]]. Default none: tokens only.
	ClientCAFile string `toml:"client_ca_file"`
	// ReloadEvery is the time between two looks at the certificate files.
	// Default 10s.
	ReloadEvery time.Duration `toml:"reload_every"`
}

// Validate reports everything that is wrong.
func (c *ComponentTLSConfig) Validate() error {
	var errs []error
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("cert_file: must be set together with key_file"))
	}
	if c.ClientCAFile != "" && c.CertFile == "" {
		errs = append(errs, errors.New("client_ca_file: needs cert_file and key_file"))
	}
	if c.ReloadEvery <= 0 {
		errs = append(errs, errors.New("reload_every: must be above 0"))
	}
	return errors.Join(errs...)
}
