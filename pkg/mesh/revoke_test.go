package mesh

import (
	"testing"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

func TestRevocationsReachTheBootThatHasTheNumber(t *testing.T) {
	cfg := testConfig()
	var got *meshv1.RevokeRequest
	p := start(t, cfg, 1, "boot-a", "", &fake{revoke: func(r *meshv1.RevokeRequest) *meshv1.RevokeResponse {
		got = r
		return &meshv1.RevokeResponse{Sockets: 3}
	}})
	c := dial(t, cfg, newBook(p.Member, Member{Replica: 2, Boot: "boot-old", Address: p.Address}))
	resp, err := c.Revoke(timeout(t), 1, &meshv1.RevokeRequest{
		User: "ann", TokenId: "t", AuthType: "web", IssuedBefore: 1, Until: 2, Reason: "left",
	})
	if err != nil || resp.GetSockets() != 3 {
		t.Fatalf("%v %v", resp, err)
	}
	if got.GetBoot() != "boot-a" || got.GetUser() != "ann" || got.GetTokenId() != "t" || got.GetAuthType() != "web" ||
		got.GetIssuedBefore() != 1 || got.GetUntil() != 2 || got.GetReason() != "left" {
		t.Errorf("told %v", got)
	}
	if _, err := c.Revoke(timeout(t), 2, &meshv1.RevokeRequest{User: "ann"}); err == nil {
		t.Error("another boot took it")
	}
}
