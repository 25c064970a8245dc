package component

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// ErrRefused is what a Verify returns, wrapped or not, for a token that is not to
// be believed.
var ErrRefused = errors.New("component: token refused")

// Identity is who a client is, as a component says that verifies its token.
type Identity struct {
	// User is 1 to 128 bytes without control characters. Required.
	User string
	// Documents that may be joined: exact ids, or prefixes with * behind.
	Documents []string
	// ExpiresAt ends the identity. Required, unless the auth type allows
	// identities that do not end.
	ExpiresAt time.Time
	// IssuedAt is when the token was issued. Without it the token counts as
	// older than any Revoke of its user.
	IssuedAt time.Time
	// TokenID names the token, so that it alone can be revoked.
	TokenID       string
	Locale        string
	ClientVersion string
}

// Verify tells whose a token is. ErrRefused means that it is to be refused for
// good; any other error that nothing can be told now, and its client is asked to
// come back. The token is a secret: do not log it.
type Verify func(ctx context.Context, authType, token string) (Identity, error)

// RegisterVerifier serves the gateways' question whose a token is, for auth types
// whose config entry has a callback to this server. When token is not empty,
// callers must show it: it is the entry's token. Put verify's own time below the
// entry's timeout; it is called from many goroutines. A panic is an error.
func RegisterVerifier(s grpc.ServiceRegistrar, token string, verify Verify) {
	sluicev1.RegisterVerifierServer(s, &verifier{token: token, verify: verify})
}

type verifier struct {
	sluicev1.UnimplementedVerifierServer
	token  string
	verify Verify
}

// Verify implements sluicev1.VerifierServer.
func (v *verifier) Verify(ctx context.Context, req *sluicev1.VerifyRequest) (resp *sluicev1.VerifyResponse, err error) {
	if !v.trusts(ctx) {
		return nil, status.Error(codes.Unauthenticated, "not a gateway")
	}
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, status.Error(codes.Internal, fmt.Sprintf("verify panicked: %v", p))
		}
	}()
	who, err := v.verify(ctx, req.GetAuthType(), req.GetToken())
	switch {
	case errors.Is(err, ErrRefused):
		return &sluicev1.VerifyResponse{Result: &sluicev1.VerifyResponse_Refused_{Refused: &sluicev1.VerifyResponse_Refused{}}}, nil
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &sluicev1.VerifyResponse{Result: &sluicev1.VerifyResponse_Identity_{Identity: who.proto()}}, nil
}

func (v *verifier) trusts(ctx context.Context) bool {
	if v.token == "" {
		return true
	}
	md, _ := metadata.FromIncomingContext(ctx)
	shown := md.Get("sluice-token")
	return len(shown) == 1 && same(shown[0], v.token)
}

func (i *Identity) proto() *sluicev1.VerifyResponse_Identity {
	return &sluicev1.VerifyResponse_Identity{
		User: i.User, Documents: i.Documents, TokenId: i.TokenID, Locale: i.Locale, ClientVersion: i.ClientVersion,
		ExpiresAt: stamp(i.ExpiresAt), IssuedAt: stamp(i.IssuedAt),
	}
}

// stamp is no timestamp for the zero time.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// same compares secrets in a time that does not tell where they differ.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
