package edge

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/pkg/devcert"
)

// issue makes a certificate that is called by all its names.
func issue(t *testing.T, parent *tls.Certificate, names ...string) tls.Certificate {
	t.Helper()
	return devcert.Make(t, parent, fmt.Sprint(names), names...)
}

func pairFor(t *testing.T, dir, base string, names ...string) (certFile, keyFile string) {
	t.Helper()
	return devcert.Files(t, issue(t, nil, names...), dir, base)
}

func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } // self-signed

// shake connects over TLS and asks once, so that tickets have come as well.
func (w *world) shake(cfg *tls.Config) (tls.ConnectionState, error) {
	w.t.Helper()
	conn := tls.Client(w.dial(), cfg)
	if err := conn.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return tls.ConnectionState{}, err
	}
	b, err := io.ReadAll(conn)
	if err == nil && !strings.Contains(string(b), " 200 ") {
		err = fmt.Errorf("answered %.60q", b)
	}
	return conn.ConnectionState(), err
}

func (w *world) shown(name string) string {
	w.t.Helper()
	cfg := trusting()
	cfg.ServerName = name
	s, err := w.shake(cfg)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return s.PeerCertificates[0].Subject.CommonName
}

func TestACertificateIsChosenByName(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "a.example")
		for _, names := range [][]string{{"b.example", "c.example"}, {"*.d.example"}} {
			cert, key := pairFor(t, dir, names[0], names...)
			c.Certificates = append(c.Certificates, CertificateConfig{cert, key})
		}
	}, nil)
	for name, want := range map[string]string{
		"a.example": "[a.example]", "b.example": "[b.example c.example]", "C.Example": "[b.example c.example]", "x.d.example": "[*.d.example]",
		"x.y.d.example": "[a.example]", "d.example": "[a.example]", "unknown.example": "[a.example]", "": "[a.example]",
	} {
		if got := w.shown(name); got != want {
			t.Errorf("%q is shown %s, want %s", name, got, want)
		}
	}
}

func TestFilesAreReadAgainTogetherOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	authority := issue(t, nil, "authority")
	caFile, _ := devcert.Files(t, authority, dir, "ca")
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.ClientAuth, c.ClientCAFile = clientRequired, caFile
	}, nil)
	enter := func(parent tls.Certificate) error {
		cfg := trusting()
		cfg.Certificates = []tls.Certificate{issue(t, &parent, "client")}
		_, err := w.shake(cfg)
		return err
	}
	if err := enter(authority); err != nil {
		t.Fatal(err)
	}
	if _, err := w.shake(trusting()); err == nil {
		t.Error("nobody has to show a certificate")
	}
	other := issue(t, nil, "other")
	if err := enter(other); err == nil {
		t.Error("anybody's certificate is taken")
	}

	// A new certificate, with authorities that cannot be read: nothing changes.
	pairFor(t, dir, "a", "two")
	if err := os.WriteFile(caFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := w.tls.load(); changed || err == nil {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if err := enter(authority); err != nil {
		t.Errorf("with broken files: %v", err)
	}

	devcert.Files(t, other, dir, "ca")
	if changed, err := w.tls.load(); !changed || err != nil {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if err := enter(other); err != nil {
		t.Errorf("the new authority: %v", err)
	}
	if err := enter(authority); err == nil {
		t.Error("the old authority is taken still")
	}
	if changed, err := w.tls.load(); changed || err != nil {
		t.Errorf("the same files again: changed %v, %v", changed, err)
	}
}

func TestAClientsCertificateIsOptional(t *testing.T) {
	dir := t.TempDir()
	authority := issue(t, nil, "authority")
	caFile, _ := devcert.Files(t, authority, dir, "ca")
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.ClientAuth, c.ClientCAFile = clientOptional, caFile
	}, nil)
	for name, c := range map[string]struct {
		show []tls.Certificate
		good bool
	}{
		"none":     {nil, true},
		"good":     {[]tls.Certificate{issue(t, &authority, "client")}, true},
		"stranger": {[]tls.Certificate{issue(t, nil, "client")}, false},
	} {
		cfg := trusting()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.show == nil {
				return &tls.Certificate{}, nil
			}
			return &c.show[0], nil
		}
		if _, err := w.shake(cfg); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client whose authority has gone does not come back with its ticket.
func TestATicketDoesNotOutliveItsAuthority(t *testing.T) {
	dir := t.TempDir()
	authority, other := issue(t, nil, "authority"), issue(t, nil, "other")
	caFile, _ := devcert.Files(t, authority, dir, "ca")
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.ClientAuth, c.ClientCAFile = clientRequired, caFile
	}, nil)
	cfg := trusting()
	cfg.ServerName, cfg.ClientSessionCache = "one", tls.NewLRUClientSessionCache(1)
	cfg.Certificates = []tls.Certificate{issue(t, &authority, "client")}
	for range 2 {
		if _, err := w.shake(cfg); err != nil {
			t.Fatal(err)
		}
	}
	devcert.Files(t, other, dir, "ca")
	if _, err := w.tls.load(); err != nil {
		t.Fatal(err)
	}
	if s, err := w.shake(cfg); err == nil {
		t.Errorf("it is let in, resumed %v", s.DidResume)
	}
}

func TestTLSHasALeastVersion(t *testing.T) {
	dir := t.TempDir()
	cert, key := pairFor(t, dir, "a", "one")
	for least, want := range map[string]map[uint16]bool{
		"1.2": {tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true},
		"1.3": {tls.VersionTLS12: false, tls.VersionTLS13: true},
	} {
		w := newWorld(t, func(c *Config) { c.CertFile, c.KeyFile, c.MinVersion = cert, key, least }, nil)
		for version, good := range want {
			cfg := trusting()
			cfg.MinVersion, cfg.MaxVersion = version, version
			if _, err := w.shake(cfg); (err == nil) != good {
				t.Errorf("from %s on, %s: %v", least, tls.VersionName(version), err)
			}
		}
	}
}

func TestFilesThatAreWrongAtFirstAreAnError(t *testing.T) {
	dir := t.TempDir()
	cert, key := pairFor(t, dir, "a", "one")
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("too short"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Files{Pairs: []CertificateConfig{{cert, key}}, MinVersion: "1.2", RotateEvery: time.Hour}
	for name, change := range map[string]func(*Files){
		"a certificate": func(f *Files) { f.Pairs = []CertificateConfig{{cert, key}, {broken, key}} },
		"a file":        func(f *Files) { f.ClientCAFile = filepath.Join(dir, "missing") },
		"authorities":   func(f *Files) { f.ClientCAFile = broken },
		"secrets":       func(f *Files) { f.TicketFile = broken },
	} {
		files := good
		change(&files)
		if _, err := NewTLS(files, quiet()); err == nil || strings.Contains(err.Error(), "too short") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewTLS(good, quiet()); err != nil {
		t.Error(err)
	}
}
