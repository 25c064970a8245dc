package component

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Revoke says which tokens to withdraw: all of a user, or one. Exactly one of
// User and TokenID is set.
type Revoke struct {
	// User whose tokens are refused that were issued until IssuedBefore.
	User string
	// TokenID is the jti of a single token.
	TokenID string
	// AuthType narrows it to tokens of one auth type; empty means all.
	AuthType string
	// Remember is how long the tokens are refused, which should be as long as
	// they could live. Zero means 24 hours, at most 30 days.
	Remember time.Duration
	// Reason is told to the clients.
	Reason string
	// IssuedBefore is until when a user's tokens are refused; zero means now.
	// Pass the time of the first attempt when you repeat one, so that tokens
	// that were issued since stay good.
	IssuedBefore time.Time
}

// Revoked is what became of a Revoke.
type Revoked struct {
	// Sockets that were closed.
	Sockets uint64
	// Unreached are gateways that could not be told. New connections are refused
	// there as well, but they may still hold old ones, until they find the
	// revocation in Redis some seconds later: repeat the Revoke to be sure.
	Unreached []uint32
}

// Revoke withdraws tokens: their sockets are closed, and who comes back with
// them is refused. After an error it may not be remembered: repeat it.
func (c *Client) Revoke(ctx context.Context, r Revoke) (Revoked, error) {
	req := &sluicev1.RevokeRequest{AuthType: r.AuthType, Reason: r.Reason}
	switch {
	case (r.User == "") == (r.TokenID == ""):
		return Revoked{}, ErrOneTarget
	case r.User != "":
		req.Of = &sluicev1.RevokeRequest_User{User: r.User}
	default:
		req.Of = &sluicev1.RevokeRequest_TokenId{TokenId: r.TokenID}
	}
	if r.Remember != 0 {
		req.Remember = durationpb.New(r.Remember)
	}
	if !r.IssuedBefore.IsZero() {
		req.IssuedBefore = timestamppb.New(r.IssuedBefore)
	}
	resp, err := unary(ctx, c, "revoke", true, req, c.rpc.Revoke)
	return Revoked{Sockets: resp.GetSockets(), Unreached: resp.GetUnreached()}, err
}
