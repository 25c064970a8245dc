package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// The metadata that carries a component's credentials.
const (
	metaComponent = "sluice-component"
	metaToken     = "sluice-token"
)

// nobody is the metric label of callers without valid credentials.
const nobody = "none"

type componentKey struct{}

// caller returns the component that the interceptors found.
func caller(ctx context.Context) *component {
	c, _ := ctx.Value(componentKey{}).(*component)
	return c
}

// authenticate returns the component that ctx's credentials prove. A token counts
// before a certificate: one that is wrong is refused, whatever the certificate says.
// A component named beside a certificate must be the certificate's.
func (cs *components) authenticate(ctx context.Context) (*component, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	names, tokens := md.Get(metaComponent), md.Get(metaToken)
	if len(names) > 1 || len(tokens) > 1 {
		return nil, ErrUnauthenticated
	}
	if len(tokens) == 1 {
		if len(names) == 0 {
			return nil, ErrUnauthenticated
		}
		return cs.byToken(names[0], tokens[0])
	}
	c := cs.byPeer(ctx)
	if c == nil || len(names) == 1 && names[0] != c.name {
		return nil, ErrUnauthenticated
	}
	return c, nil
}

// byToken takes the same time whether the component exists, and whichever of its
// tokens fits: digests of equal length are compared, all of them.
func (cs *components) byToken(name, token string) (*component, error) {
	sum := sha256.Sum256([]byte(token))
	c := cs.byName[name]
	known := [][sha256.Size]byte{{}}
	if c != nil && len(c.tokens) > 0 {
		known = c.tokens
	}
	fits := 0
	for i := range known {
		fits |= subtle.ConstantTimeCompare(known[i][:], sum[:])
	}
	if c == nil || len(c.tokens) == 0 || fits != 1 {
		return nil, ErrUnauthenticated
	}
	return c, nil
}

// byPeer looks for the names of the client's certificate. It must have been
// verified by the server's TLS settings: one that was merely sent proves nothing.
func (cs *components) byPeer(ctx context.Context) *component {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
		return nil
	}
	var found *component
	for _, name := range certificateNames(info.State.VerifiedChains[0][0]) {
		c := cs.byCertificate[name]
		if c == nil {
			continue
		}
		if found != nil && found != c {
			return nil // a certificate for two components proves neither
		}
		found = c
	}
	return found
}

func certificateNames(cert *x509.Certificate) []string {
	names := append([]string{cert.Subject.CommonName}, cert.DNSNames...)
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	return names
}
