package component

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"sluice/pkg/devcert"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestACertificateCanReplaceTheToken(t *testing.T) {
	server, client := devcert.Make(t, nil, "ws-api", "127.0.0.1"), devcert.Make(t, nil, "comments")
	var name, token string
	addr, _ := serve(t, "", &fake{push: func(ctx context.Context, _ *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
		p, _ := peer.FromContext(ctx)
		name = p.AuthInfo.(credentials.TLSInfo).State.VerifiedChains[0][0].Subject.CommonName
		token = header(ctx, "sluice-token")
		return new(sluicev1.PushResponse), nil
	}}, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: devcert.Pool(client),
	})))
	c := dial(t, addr, func(o *Options) {
		o.Component, o.Token = "", ""
		o.TLS = &tls.Config{RootCAs: devcert.Pool(server), Certificates: []tls.Certificate{client}}
	})
	if _, err := c.Push(timeout(t), Push{All: true, Event: "e"}); err != nil {
		t.Fatal(err)
	}
	if name != "comments" || token != "" {
		t.Errorf("server saw the certificate of %q and the token %q", name, token)
	}

	ctx, cancel := context.WithTimeout(timeout(t), 300*time.Millisecond)
	defer cancel()
	o := options(addr)
	o.TLS = &tls.Config{} // trusts nobody of ours
	if _, err := Dial(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial to a server that is not trusted: %v", err)
	}
}
