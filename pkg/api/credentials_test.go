package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// listen serves g on loopback until the test ends.
func listen(t testing.TB, g *grpc.Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		g.Stop()
		<-served
	})
	return l.Addr().String()
}

// authority signs the certificates of a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(name string, dns []string, uris ...string) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	for _, u := range uris {
		parsed, err := url.Parse(u)
		if err != nil {
			a.t.Fatal(err)
		}
		c.URIs = append(c.URIs, parsed)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificatesAndTokens(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	w := newWorld(t, func(w *world) {
		byName, byURI := docs(), docs()
		byName.Name, byName.Tokens, byName.Certificate = "named", nil, "named.example"
		byURI.Name, byURI.Tokens, byURI.Certificate = "uri", nil, "spiffe://example/uri"
		w.cfg.Components = append(w.cfg.Components, byName, byURI)
	})
	serve := func(auth tls.ClientAuthType) string {
		g := grpc.NewServer(
			grpc.Creds(credentials.NewTLS(&tls.Config{
				Certificates: []tls.Certificate{ours.issue("server", nil)}, ClientCAs: ours.pool, ClientAuth: auth, MinVersion: tls.VersionTLS13,
			})),
			grpc.ChainUnaryInterceptor(w.server.UnaryInterceptor()), grpc.ChainStreamInterceptor(w.server.StreamInterceptor()))
		sluicev1.RegisterSluiceServer(g, w.server)
		return listen(t, g)
	}
	verifying, careless := serve(tls.VerifyClientCertIfGiven), serve(tls.RequestClientCert)
	cert := func(c tls.Certificate) *tls.Certificate { return &c }
	const yes, no = codes.InvalidArgument, codes.Unauthenticated // the request is empty
	for name, tc := range map[string]struct {
		addr string
		cert *tls.Certificate
		meta []string
		want codes.Code
	}{
		"common name":              {verifying, cert(ours.issue("named.example", nil)), nil, yes},
		"DNS name":                 {verifying, cert(ours.issue("x", []string{"other.example", "named.example"})), nil, yes},
		"URI":                      {verifying, cert(ours.issue("x", nil, "spiffe://example/uri")), nil, yes},
		"named and the name":       {verifying, cert(ours.issue("named.example", nil)), []string{metaComponent, "named"}, yes},
		"named and another name":   {verifying, cert(ours.issue("named.example", nil)), []string{metaComponent, "docs"}, no},
		"for two components":       {verifying, cert(ours.issue("named.example", nil, "spiffe://example/uri")), nil, no},
		"an unknown name":          {verifying, cert(ours.issue("else.example", nil)), nil, no},
		"a look-alike":             {verifying, cert(ours.issue("named.example.evil", []string{"*.example"})), nil, no},
		"no certificate":           {verifying, nil, nil, no},
		"not verified":             {careless, cert(foreign.issue("named.example", nil)), nil, no},
		"not verified, ours":       {careless, cert(ours.issue("named.example", nil)), nil, no},
		"foreign":                  {verifying, cert(foreign.issue("named.example", nil)), nil, codes.Unavailable},
		"token":                    {verifying, nil, []string{metaComponent, "docs", metaToken, token}, yes},
		"second token":             {verifying, nil, []string{metaComponent, "docs", metaToken, otherToken}, yes},
		"token beats certificate":  {verifying, cert(ours.issue("named.example", nil)), []string{metaComponent, "docs", metaToken, token}, yes},
		"wrong token, certificate": {verifying, cert(ours.issue("named.example", nil)), []string{metaComponent, "named", metaToken, token}, no},
		"wrong token":              {verifying, nil, []string{metaComponent, "docs", metaToken, token + "x"}, no},
		"beginning of the token":   {verifying, nil, []string{metaComponent, "docs", metaToken, token[:8]}, no},
		"empty token":              {verifying, nil, []string{metaComponent, "docs", metaToken, ""}, no},
		"token of no tokens":       {verifying, nil, []string{metaComponent, "named", metaToken, ""}, no},
		"unknown component":        {verifying, nil, []string{metaComponent, "nobody", metaToken, token}, no},
		"no component":             {verifying, nil, []string{metaToken, token}, no},
		"two components":           {verifying, nil, []string{metaComponent, "docs", metaComponent, "docs", metaToken, token}, no},
		"two tokens":               {verifying, nil, []string{metaComponent, "docs", metaToken, "wrong", metaToken, token}, no},
		"name alone":               {verifying, nil, []string{metaComponent, "docs"}, no},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &tls.Config{RootCAs: ours.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
			if tc.cert != nil {
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tc.cert, nil }
			}
			conn, err := grpc.NewClient(tc.addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			ctx = metadata.AppendToOutgoingContext(ctx, tc.meta...)
			_, err = sluicev1.NewSluiceClient(conn).GetSocket(ctx, &sluicev1.GetSocketRequest{})
			if status.Code(err) != tc.want {
				t.Errorf("%v", err)
			}
			stream, err := sluicev1.NewSluiceClient(conn).Subscribe(ctx)
			if err != nil {
				if tc.want != codes.Unavailable {
					t.Fatal(err)
				}
				return
			}
			_ = stream.CloseSend()
			if _, err = stream.Recv(); status.Code(err) != tc.want {
				t.Errorf("stream: %v", err)
			}
		})
	}
}

func TestOnlyListedMethodsAreAllowed(t *testing.T) {
	for _, method := range methodNames {
		e := docs()
		e.Methods = []string{method}
		cs, err := compile([]ComponentConfig{e})
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range methodNames {
			if got := cs.byName["docs"].mayCall(other); got != (other == method) {
				t.Errorf("%s alone: %s = %v", method, other, got)
			}
		}
	}
	all := docs()
	c := all.compile()
	for _, m := range sluicev1.Sluice_ServiceDesc.Methods {
		if !c.mayCall(m.MethodName) {
			t.Errorf("* does not allow %s", m.MethodName)
		}
	}
	for _, m := range sluicev1.Sluice_ServiceDesc.Streams {
		if !c.mayCall(m.StreamName) {
			t.Errorf("* does not allow %s", m.StreamName)
		}
	}
	if c.mayCall("/other.v1.Other/Push") || c.mayCall("") {
		t.Error("* allows other services")
	}
}

func TestPatternsAndPrefixes(t *testing.T) {
	p := newPatterns([]string{"edit", "cursor:*"})
	for s, want := range map[string]bool{"edit": true, "edits": false, "edi": false, "cursor:": true, "cursor:x": true, "cursor": false, "": false} {
		if p.match(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	if newPatterns(nil).match("") || !newPatterns([]string{"*"}).match("") {
		t.Error("nothing or everything is wrong")
	}
	c := (&ComponentConfig{Documents: []string{"doc-", "sheet-*"}}).compile()
	if !c.mayDocument("doc-1") || !c.mayDocument("sheet-") || c.mayDocument("doc") || c.mayDocument("a-doc-1") {
		t.Error("prefixes are wrong")
	}
	none, every := (&ComponentConfig{}).compile(), (&ComponentConfig{Documents: []string{"*"}}).compile()
	if none.mayDocument("d") || !every.mayDocument("d") {
		t.Error("none or every document is wrong")
	}
}
