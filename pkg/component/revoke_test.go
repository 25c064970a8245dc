package component

import (
	"errors"
	"slices"
	"testing"
	"time"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestRevokeSaysWhatToWithdraw(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_123)
	var got *sluicev1.RevokeRequest
	fails := 1
	addr, _ := serve(t, "", &fake{revoke: func(r *sluicev1.RevokeRequest) (*sluicev1.RevokeResponse, error) {
		if got = r; fails > 0 {
			fails--
			return nil, unavailable()
		}
		return &sluicev1.RevokeResponse{Sockets: 2, Unreached: []uint32{7}}, nil
	}})
	c := dial(t, addr)
	done, err := c.Revoke(timeout(t), Revoke{User: "ann", AuthType: "web", Remember: time.Hour, Reason: "left", IssuedBefore: at})
	if err != nil || done.Sockets != 2 || !slices.Equal(done.Unreached, []uint32{7}) {
		t.Fatalf("%+v %v", done, err)
	}
	if got.GetUser() != "ann" || got.GetAuthType() != "web" || got.GetReason() != "left" || got.GetRemember().AsDuration() != time.Hour ||
		!got.GetIssuedBefore().AsTime().Equal(at) {
		t.Errorf("asked %v", got)
	}
	if _, err := c.Revoke(timeout(t), Revoke{TokenID: "t-1"}); err != nil || got.GetTokenId() != "t-1" || got.GetRemember() != nil || got.GetIssuedBefore() != nil {
		t.Errorf("asked %v, %v", got, err)
	}
	for _, r := range []Revoke{{}, {User: "ann", TokenID: "t-1"}} {
		if _, err := c.Revoke(timeout(t), r); !errors.Is(err, ErrOneTarget) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
