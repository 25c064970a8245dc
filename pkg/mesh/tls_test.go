package mesh

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/devcert"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// authority signs certificates for 127.0.0.1 and gateway.mesh.
type authority struct {
	cert   tls.Certificate
	dir    string
	caFile string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{cert: devcert.Make(t, nil, "test authority"), dir: t.TempDir()}
	a.caFile, _ = devcert.Files(t, a.cert, a.dir, "ca")
	return a
}

// config has a certificate of the authority.
func (a *authority) config(t *testing.T, name string) Config {
	t.Helper()
	cfg := testConfig()
	cfg.Token = ""
	cfg.CertFile, cfg.KeyFile = devcert.Files(t, devcert.Make(t, &a.cert, name, "127.0.0.1", "gateway.mesh"), a.dir, name)
	cfg.CAFile = a.caFile
	return cfg
}

func TestCertificatesReplaceTheToken(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	serving := ours.config(t, "server")
	p := start(t, serving, 1, "boot", "", &fake{call: done})
	dir := newBook(p.Member)

	named := ours.config(t, "named")
	named.ServerName = "gateway.mesh"
	misnamed := ours.config(t, "misnamed")
	misnamed.ServerName = "other.mesh"
	plain := testConfig()
	for _, tc := range []struct {
		name string
		cfg  Config
		want error
	}{
		{"same authority", ours.config(t, "client"), nil},
		{"expected name", named, nil},
		{"other name", misnamed, ErrUnreachable},
		{"other authority", theirs.config(t, "stranger"), ErrUnreachable},
		{"plaintext", plain, ErrUnreachable},
	} {
		_, err := dial(t, tc.cfg, dir).Call(timeout(t), 1, &meshv1.CallRequest{})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestATokenIsAskedForOnTopOfACertificate(t *testing.T) {
	ours := newAuthority(t)
	cfg := ours.config(t, "both")
	cfg.Token = "a token for the tests"
	p := start(t, cfg, 1, "boot", "", &fake{call: done})
	dir := newBook(p.Member)
	if _, err := dial(t, cfg, dir).Call(timeout(t), 1, &meshv1.CallRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := dial(t, ours.config(t, "only"), dir).Call(timeout(t), 1, &meshv1.CallRequest{}); !errors.Is(err, ErrRefused) {
		t.Errorf("without the token: %v", err)
	}
}

// A gRPC server that was built without ServerOptions has no certificates: it
// must not let everybody in.
func TestWithoutTokenAndCertificateNobodyIsTrusted(t *testing.T) {
	serving := newAuthority(t).config(t, "server")
	plain := serving
	plain.CertFile, plain.KeyFile, plain.CAFile = "", "", ""
	p := start(t, plain, 1, "boot", "", &fake{call: done})
	p.srv.cfg = serving
	if _, err := dial(t, testConfig(), newBook(p.Member)).Call(timeout(t), 1, &meshv1.CallRequest{}); !errors.Is(err, ErrRefused) {
		t.Errorf("call: %v", err)
	}
}

func TestBadCertificateFilesAreFoundAtTheStart(t *testing.T) {
	good := newAuthority(t).config(t, "x")
	for name, spoil := range map[string]func(*Config){
		"no such certificate": func(c *Config) { c.CertFile += ".not" },
		"no such authority":   func(c *Config) { c.CAFile += ".not" },
		"no authority in it":  func(c *Config) { c.CAFile = c.KeyFile },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := cfg.ServerOptions(); err == nil {
			t.Errorf("%s: ServerOptions has no error", name)
		}
		c := NewClient(cfg, newBook(Member{Replica: 1}), quiet(), NewMetrics(prometheus.NewRegistry()))
		if err := c.Run(timeout(t)); err == nil {
			t.Errorf("%s: Run has no error", name)
		}
		if _, err := c.Call(timeout(t), 1, &meshv1.CallRequest{}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: call: %v", name, err)
		}
	}
}
