package mesh

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

const (
	tokenKey = "sluice-mesh-token" // metadata of every call
	bootKey  = "sluice-boot"       // trailer of a call that was meant for another boot

	// Fixed windows, because the growing ones of gRPC would let one slow tunnel
	// hold megabytes. The connection's window only has to cover the round trip:
	// gRPC reopens it on arrival, so slow streams do not hold up the others.
	streamWindow = 128 << 10
	connWindow   = 4 << 20
)

// ServerOptions returns what a gRPC server needs to serve the mesh: its
// certificates, limits, flow control windows and the keepalive that clients
// expect. It reads the certificate files.
func (c *Config) ServerOptions() ([]grpc.ServerOption, error) {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(c.MaxMessageBytes),
		grpc.MaxSendMsgSize(c.MaxMessageBytes),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.KeepaliveEvery, Timeout: c.KeepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             c.KeepaliveEvery / 2,
			PermitWithoutStream: true,
		}),
	}
	if c.secure() {
		conf, err := c.tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(conf)))
	}
	return opts, nil
}

// dialOptions returns the client's counterpart of ServerOptions.
func (c *Config) dialOptions() ([]grpc.DialOption, error) {
	creds := insecure.NewCredentials()
	if c.secure() {
		conf, err := c.tlsConfig()
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(conf)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.KeepaliveEvery, Timeout: c.KeepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: c.BackoffBase, Multiplier: 2, Jitter: 0.2, MaxDelay: c.BackoffMax},
			MinConnectTimeout: c.ConnectTimeout,
		}),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(c.MaxMessageBytes), grpc.MaxCallSendMsgSize(c.MaxMessageBytes)),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
	}
	if c.Token != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(token(c.Token)))
	}
	return opts, nil
}

// tlsConfig is the same for both sides: each shows its certificate and asks for
// the other's.
func (c *Config) tlsConfig() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("mesh: certificate: %w", err)
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("mesh: authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("mesh: authorities: no certificate in ca_file")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ServerName:   c.ServerName,
	}, nil
}

// token is shown with every call.
type token string

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{tokenKey: string(t)}, nil
}

// RequireTransportSecurity is false: inside a private network the token may be
// all there is.
func (token) RequireTransportSecurity() bool { return false }

// trusts tells whether the caller behind ctx may call. Without a token it must
// have been verified by certificate, whatever the gRPC server was built with.
func (c *Config) trusts(ctx context.Context) bool {
	if c.Token == "" {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return false
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		return ok && len(info.State.VerifiedChains) > 0
	}
	shown := metadata.ValueFromIncomingContext(ctx, tokenKey)
	if len(shown) != 1 {
		return false
	}
	// Digests, because ConstantTimeCompare tells the length.
	a, b := sha256.Sum256([]byte(shown[0])), sha256.Sum256([]byte(c.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// doubled returns the wait that follows d.
func (c *Config) doubled(d time.Duration) time.Duration { return min(2*d, c.BackoffMax) }
