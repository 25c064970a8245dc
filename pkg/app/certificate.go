package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// certificate is a key pair from files that is read again when they change.
type certificate struct {
	certFile, keyFile string
	log               *elog.Component

	current atomic.Pointer[tls.Certificate]
	text    [2][]byte // what current was made of; owned by watch after load
}

// loadCertificate reads the files; they must be there and belong together.
func loadCertificate(certFile, keyFile string, log *elog.Component) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reports whether the certificate has changed.
func (c *certificate) load() (bool, error) {
	var text [2][]byte
	for i, file := range []string{c.certFile, c.keyFile} {
		b, err := os.ReadFile(file)
		if err != nil {
			return false, fmt.Errorf("certificate: %w", err)
		}
		text[i] = b
	}
	if bytes.Equal(text[0], c.text[0]) && bytes.Equal(text[1], c.text[1]) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return false, fmt.Errorf("certificate %s: %w", c.certFile, err)
	}
	c.current.Store(&pair)
	c.text = text
	return true, nil
}

// watch reads the files again until ctx ends. Files that cannot be used leave
// the certificate as it is. It reads them instead of waiting for events: a
// secret that is mounted is swapped by renaming folders.
func (c *certificate) watch(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			changed, err := c.load()
			if err != nil {
				c.log.Error("certificate not reloaded", elog.FieldErr(err))
			} else if changed {
				c.log.Info("certificate reloaded", elog.String("file", c.certFile))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// config is what a server needs to use the certificate, for clients that speak
// one of the protocols.
func (c *certificate) config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// believe has clients' certificates checked against the authorities in a file.
// A client without one is let in, to prove itself otherwise.
func believe(conf *tls.Config, file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	conf.ClientCAs = x509.NewCertPool()
	if !conf.ClientCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("authorities: %s holds no certificate", file)
	}
	conf.ClientAuth = tls.VerifyClientCertIfGiven
	return nil
}
