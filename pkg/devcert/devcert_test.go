package devcert

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestACertificateIsGoodForItsNamesOnly(t *testing.T) {
	authority := Make(t, nil, "authority")
	c := Make(t, &authority, "it", "127.0.0.1", "one.example", "spiffe://two/three")
	for name, good := range map[string]bool{"127.0.0.1": true, "one.example": true, "127.0.0.2": false, "two.example": false} {
		_, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: Pool(authority)})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.Leaf.Subject.CommonName != "it" || len(c.Leaf.URIs) != 1 || c.Leaf.URIs[0].String() != "spiffe://two/three" {
		t.Errorf("it is %v with %v", c.Leaf.Subject, c.Leaf.URIs)
	}
	other := Make(t, nil, "authority")
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: Pool(other)}); err == nil {
		t.Error("another authority of the same name is believed")
	}
	under := Make(t, &c, "under it")
	chain := x509.NewCertPool()
	chain.AddCert(c.Leaf)
	if _, err := under.Leaf.Verify(x509.VerifyOptions{Roots: Pool(authority), Intermediates: chain}); err == nil {
		t.Error("what has a parent signs others")
	}
}

func TestFilesAreWhatServersRead(t *testing.T) {
	c := Make(t, nil, "it", "127.0.0.1")
	back, err := tls.LoadX509KeyPair(Files(t, c, t.TempDir(), "it"))
	if err != nil || !back.Leaf.Equal(c.Leaf) {
		t.Errorf("read back: %v", err)
	}
	if _, _, err := Write(c, t.TempDir()+"/missing", "it"); err == nil {
		t.Error("no error without the folder")
	}
}
