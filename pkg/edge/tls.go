package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// Files is a server's side of TLS as files have it.
type Files struct {
	Pairs        []CertificateConfig // the first one is for whoever fits no other
	MinVersion   string              // "1.2" or "1.3"
	ClientCAFile string              // empty: clients' certificates are not looked at
	ClientMust   bool                // show one
	TicketFile   string              // empty: this process makes its own keys
	RotateEvery  time.Duration       // of keys made from that file
	Protocols    []string            // by ALPN
}

// TLS is the configuration of a server that follows its files. What is wrong
// with them at first is an error; what is wrong later is logged, and all stays
// as it was: certificates, authorities and secrets change together or not at all.
type TLS struct {
	files Files
	log   *elog.Component
	now   func() time.Time
	enter func(*tls.ClientHelloInfo) error // before what costs; may be nil
	seen  func(resumed bool)               // a handshake has succeeded; may be nil

	base    *tls.Config // what listeners have; holds the ticket keys
	current atomic.Pointer[tls.Config]

	// Owned by Watch after NewTLS.
	text    map[string][]byte // of the files that current was made of
	secrets [][]byte
	period  int64
}

// NewTLS reads the files.
func NewTLS(files Files, log *elog.Component) (*TLS, error) {
	return newTLS(files, log, time.Now)
}

func newTLS(files Files, log *elog.Component, now func() time.Time) (*TLS, error) {
	t := &TLS{files: files, log: log, now: now}
	t.base = &tls.Config{
		MinVersion: versions[files.MinVersion], NextProtos: files.Protocols, GetConfigForClient: t.configFor,
	}
	if _, err := t.load(); err != nil {
		return nil, err
	}
	return t, nil
}

// TLS reads the files of the port. Its handshakes take one of the port's slots
// while they compute.
func (p *Port) TLS() (*TLS, error) {
	c := &p.cfg
	files := Files{
		Pairs:      append([]CertificateConfig{{CertFile: c.CertFile, KeyFile: c.KeyFile}}, c.Certificates...),
		MinVersion: c.MinVersion, ClientCAFile: c.ClientCAFile, ClientMust: c.ClientAuth == clientRequired,
		TicketFile: c.TicketKeyFile, RotateEvery: c.TicketRotateEvery,
		Protocols: []string{"http/1.1"}, // a WebSocket needs nothing newer
	}
	t, err := NewTLS(files, p.log)
	if err != nil {
		return nil, err
	}
	t.enter = func(hello *tls.ClientHelloInfo) error {
		if s := slotOf(hello.Conn); s != nil {
			return s.enter()
		}
		return nil
	}
	full, resumed := p.m.resumed.WithLabelValues("no"), p.m.resumed.WithLabelValues("yes")
	t.seen = func(again bool) {
		if again {
			resumed.Inc()
		} else {
			full.Inc()
		}
	}
	return t, nil
}

// Config is for the listener. It stays the same; what it answers does not.
func (t *TLS) Config() *tls.Config { return t.base }

// configFor is called for each client, when its hello has been read.
func (t *TLS) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if t.enter != nil {
		if err := t.enter(hello); err != nil {
			return nil, err
		}
	}
	return t.current.Load(), nil
}

// Watch follows the files, and the clock that the ticket keys are made with,
// until ctx ends. It reads them instead of waiting for events: a secret that is
// mounted is swapped by renaming folders.
func (t *TLS) Watch(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			changed, err := t.load()
			if err != nil {
				t.log.Error("TLS files not reloaded", elog.FieldErr(err))
			} else if changed {
				t.log.Info("TLS files reloaded", elog.String("certificate", t.files.Pairs[0].CertFile))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// load reports whether the files have changed.
func (t *TLS) load() (changed bool, err error) {
	text, err := t.read()
	if err == nil && !maps.EqualFunc(text, t.text, bytes.Equal) {
		changed = true
		err = t.build(text)
	}
	if t.secrets != nil { // also of the files as they were
		t.rotate(changed)
	}
	return changed && err == nil, err
}

func (t *TLS) read() (map[string][]byte, error) {
	names := []string{t.files.ClientCAFile, t.files.TicketFile}
	for _, p := range t.files.Pairs {
		names = append(names, p.CertFile, p.KeyFile)
	}
	text := make(map[string][]byte, len(names))
	for _, name := range names {
		if name == "" {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		text[name] = b
	}
	return text, nil
}

// build makes a configuration of the files and puts it in place.
func (t *TLS) build(text map[string][]byte) error {
	next := &tls.Config{MinVersion: t.base.MinVersion, NextProtos: t.files.Protocols}
	var errs []error
	pairs := make([]tls.Certificate, len(t.files.Pairs))
	for i, p := range t.files.Pairs {
		var err error
		if pairs[i], err = tls.X509KeyPair(text[p.CertFile], text[p.KeyFile]); err != nil {
			errs = append(errs, fmt.Errorf("certificate %s: %w", p.CertFile, err))
		}
	}
	next.GetCertificate = t.choose(pairs)
	if file := t.files.ClientCAFile; file != "" {
		next.ClientCAs = x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(text[file]) {
			errs = append(errs, fmt.Errorf("authorities: %s holds no certificate", file))
		}
		next.ClientAuth = tls.VerifyClientCertIfGiven
		if t.files.ClientMust {
			next.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	next.VerifyConnection = t.count
	var secrets [][]byte
	if file := t.files.TicketFile; file != "" {
		var err error
		if secrets, err = parseSecrets(text[file]); err != nil {
			errs = append(errs, fmt.Errorf("ticket keys: %s: %w", file, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	t.text, t.secrets = text, secrets
	t.current.Store(next)
	return nil
}

// choose returns the certificate for a client: the first that fits its name and
// what it can check. A second hello, after a retry, has to wait for its slot
// again.
func (t *TLS) choose(pairs []tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if t.enter != nil {
			if err := t.enter(hello); err != nil {
				return nil, err
			}
		}
		if len(pairs) > 1 {
			for i := range pairs {
				if hello.SupportsCertificate(&pairs[i]) == nil {
					return &pairs[i], nil
				}
			}
		}
		return &pairs[0], nil
	}
}

func (t *TLS) count(state tls.ConnectionState) error {
	if t.seen != nil {
		t.seen(state.DidResume)
	}
	return nil
}

// noHTTP2 keeps net/http from offering it.
func noHTTP2() map[string]func(*http.Server, *tls.Conn, http.Handler) {
	return map[string]func(*http.Server, *tls.Conn, http.Handler){}
}
