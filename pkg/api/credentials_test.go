package api

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/pkg/devcert"
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

func TestCertificatesAndTokens(t *testing.T) {
	authority, stranger := devcert.Make(t, nil, "authority"), devcert.Make(t, nil, "authority")
	trusted := devcert.Pool(authority)
	ours := func(subject string, names ...string) *tls.Certificate {
		c := devcert.Make(t, &authority, subject, names...)
		return &c
	}
	foreign := devcert.Make(t, &stranger, "named.example")
	w := newWorld(t, func(w *world) {
		byName, byURI := docs(), docs()
		byName.Name, byName.Tokens, byName.Certificate = "named", nil, "named.example"
		byURI.Name, byURI.Tokens, byURI.Certificate = "uri", nil, "spiffe://example/uri"
		w.cfg.Components = append(w.cfg.Components, byName, byURI)
	})
	serve := func(auth tls.ClientAuthType) string {
		g := grpc.NewServer(
			grpc.Creds(credentials.NewTLS(&tls.Config{
				Certificates: []tls.Certificate{*ours("server", "127.0.0.1")}, ClientCAs: trusted, ClientAuth: auth, MinVersion: tls.VersionTLS13,
			})),
			grpc.ChainUnaryInterceptor(w.server.UnaryInterceptor()), grpc.ChainStreamInterceptor(w.server.StreamInterceptor()))
		sluicev1.RegisterSluiceServer(g, w.server)
		return listen(t, g)
	}
	verifying, careless := serve(tls.VerifyClientCertIfGiven), serve(tls.RequestClientCert)
	const yes, no = codes.InvalidArgument, codes.Unauthenticated // the request is empty
	for name, tc := range map[string]struct {
		addr string
		cert *tls.Certificate
		meta []string
		want codes.Code
	}{
		"common name":              {verifying, ours("named.example"), nil, yes},
		"DNS name":                 {verifying, ours("x", "other.example", "named.example"), nil, yes},
		"URI":                      {verifying, ours("x", "spiffe://example/uri"), nil, yes},
		"named and the name":       {verifying, ours("named.example"), []string{metaComponent, "named"}, yes},
		"named and another name":   {verifying, ours("named.example"), []string{metaComponent, "docs"}, no},
		"for two components":       {verifying, ours("named.example", "spiffe://example/uri"), nil, no},
		"an unknown name":          {verifying, ours("else.example"), nil, no},
		"a look-alike":             {verifying, ours("named.example.evil", "*.example"), nil, no},
		"no certificate":           {verifying, nil, nil, no},
		"not verified":             {careless, &foreign, nil, no},
		"not verified, ours":       {careless, ours("named.example"), nil, no},
		"foreign":                  {verifying, &foreign, nil, codes.Unavailable},
		"token":                    {verifying, nil, []string{metaComponent, "docs", metaToken, token}, yes},
		"second token":             {verifying, nil, []string{metaComponent, "docs", metaToken, otherToken}, yes},
		"token beats certificate":  {verifying, ours("named.example"), []string{metaComponent, "docs", metaToken, token}, yes},
		"wrong token, certificate": {verifying, ours("named.example"), []string{metaComponent, "named", metaToken, token}, no},
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
			cfg := &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
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
