package component

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// certificate is self-signed, for 127.0.0.1.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestACertificateCanReplaceTheToken(t *testing.T) {
	server, serverPool := certificate(t, "ws-api")
	client, clientPool := certificate(t, "comments")
	var name, token string
	addr, _ := serve(t, "", &fake{push: func(ctx context.Context, _ *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
		p, _ := peer.FromContext(ctx)
		name = p.AuthInfo.(credentials.TLSInfo).State.VerifiedChains[0][0].Subject.CommonName
		token = header(ctx, "sluice-token")
		return new(sluicev1.PushResponse), nil
	}}, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientPool,
	})))
	c := dial(t, addr, func(o *Options) {
		o.Component, o.Token = "", ""
		o.TLS = &tls.Config{RootCAs: serverPool, Certificates: []tls.Certificate{client}}
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
