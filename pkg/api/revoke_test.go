package api

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/session"
)

// newRevokeHouse is a house that remembers revocations in its Redis.
func newRevokeHouse(t *testing.T) (*house, *session.Revocations) {
	t.Helper()
	var revocations *session.Revocations
	h := newHouse(t, func(w *world) { w.deps.Revocations = forwarding{&revocations} })
	revocations = session.NewRevocations(session.DefaultConfig(), newClient(t, h.mini), session.NewMetrics(prometheus.NewRegistry()), time.Now)
	return h, revocations
}

// forwarding is a memory that is built after whoever uses it.
type forwarding struct{ to **session.Revocations }

func (f forwarding) Remember(ctx context.Context, what session.Revocation) error {
	return (*f.to).Remember(ctx, what)
}

func ofUser(user string) *sluicev1.RevokeRequest {
	return &sluicev1.RevokeRequest{Of: &sluicev1.RevokeRequest_User{User: user}}
}

func TestRevokeIsRememberedAndTold(t *testing.T) {
	h, revocations := newRevokeHouse(t)
	one, two := h.resident(1), h.resident(2)
	one.connect(sid(1, 1), "ann")
	two.connect(sid(2, 1), "ann")
	two.connect(sid(2, 2), "ann")
	req := ofUser("ann")
	req.AuthType, req.Reason, req.Remember = "jwt", "left", durationpb.New(time.Hour)
	before := time.Now()
	resp, err := h.client.Revoke(h.ctx(), req)
	if err != nil || resp.GetSockets() != 3 || len(resp.GetUnreached()) != 0 {
		t.Fatalf("%v %v", resp, err)
	}
	for _, g := range []*resident{one, two} {
		g.fakeGateway.mu.Lock()
		got := slices.Clone(g.revokes)
		g.fakeGateway.mu.Unlock()
		if len(got) != 1 || got[0].GetUser() != "ann" || got[0].GetAuthType() != "jwt" || got[0].GetReason() != "left" ||
			got[0].GetIssuedBefore() < before.UnixMilli() || got[0].GetUntil()-got[0].GetIssuedBefore() != time.Hour.Milliseconds() {
			t.Errorf("replica %d is told %v", g.replica, got)
		}
	}
	for token, want := range map[session.Token]bool{
		{User: "ann", AuthType: "jwt", Issued: before.Unix()}:      true,
		{User: "ann", AuthType: "jwt", Issued: before.Unix() + 60}: false,
		{User: "ann", AuthType: "other"}:                           false,
	} {
		if yes, err := revocations.Revoked(t.Context(), token); err != nil || yes != want {
			t.Errorf("%+v: %v %v", token, yes, err)
		}
	}
}

func TestGatewaysThatWereNotToldAreNamed(t *testing.T) {
	h, _ := newRevokeHouse(t)
	h.resident(1).connect(sid(1, 1), "ann")
	h.resident(2).connect(sid(2, 1), "ann")
	h.mesh.mu.Lock()
	gone := h.mesh.gateways[2]
	delete(h.mesh.gateways, id.Replica(2))
	h.mesh.mu.Unlock()
	req := ofUser("ann")
	req.IssuedBefore = timestamppb.New(time.Now().Add(-time.Minute))
	resp, err := h.client.Revoke(h.ctx(), req)
	if err != nil || resp.GetSockets() != 1 || !slices.Equal(resp.GetUnreached(), []uint32{2}) {
		t.Fatalf("%v %v", resp, err)
	}
	h.mesh.mu.Lock()
	h.mesh.gateways[2] = gone
	h.mesh.mu.Unlock()
	if resp, err = h.client.Revoke(h.ctx(), req); err != nil || len(resp.GetUnreached()) != 0 {
		t.Fatalf("repeated: %v %v", resp, err)
	}
	gone.mu.Lock()
	defer gone.mu.Unlock()
	if len(gone.revokes) != 1 || gone.revokes[0].GetIssuedBefore() != req.GetIssuedBefore().AsTime().UnixMilli() {
		t.Errorf("repeated with another time: %v", gone.revokes)
	}
}

func TestNobodyIsToldOfWhatIsNotRemembered(t *testing.T) {
	h, _ := newRevokeHouse(t)
	g := h.resident(1)
	h.mini.SetError("away")
	_, err := h.client.Revoke(h.ctx(), ofUser("ann"))
	h.mini.SetError("")
	if status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	g.fakeGateway.mu.Lock()
	defer g.fakeGateway.mu.Unlock()
	if len(g.revokes) != 0 {
		t.Errorf("told %v", g.revokes)
	}
}

func TestRevokeRequestsAreChecked(t *testing.T) {
	now := time.Now()
	with := func(change func(*sluicev1.RevokeRequest)) *sluicev1.RevokeRequest {
		r := ofUser("ann")
		change(r)
		return r
	}
	for name, tt := range map[string]struct {
		req  *sluicev1.RevokeRequest
		want string
	}{
		"a user":          {ofUser("ann"), ""},
		"a token":         {&sluicev1.RevokeRequest{Of: &sluicev1.RevokeRequest_TokenId{TokenId: "t"}}, ""},
		"nothing":         {&sluicev1.RevokeRequest{}, "of: one of user and token_id"},
		"empty user":      {ofUser(""), "user: "},
		"longest user":    {ofUser(strings.Repeat("u", 128)), ""},
		"longer user":     {ofUser(strings.Repeat("u", 129)), "user: "},
		"bad token":       {&sluicev1.RevokeRequest{Of: &sluicev1.RevokeRequest_TokenId{TokenId: "a\nb"}}, "token_id: "},
		"auth type":       {with(func(r *sluicev1.RevokeRequest) { r.AuthType = strings.Repeat("a", 65) }), "auth_type: "},
		"longest reason":  {with(func(r *sluicev1.RevokeRequest) { r.Reason = strings.Repeat("r", 128) }), ""},
		"longer reason":   {with(func(r *sluicev1.RevokeRequest) { r.Reason = strings.Repeat("r", 129) }), "reason: "},
		"thirty days":     {with(func(r *sluicev1.RevokeRequest) { r.Remember = durationpb.New(maxRemember) }), ""},
		"a little longer": {with(func(r *sluicev1.RevokeRequest) { r.Remember = durationpb.New(maxRemember + 1) }), "remember: "},
		"for ever":        {with(func(r *sluicev1.RevokeRequest) { r.Remember = durationpb.New(100 * maxRemember) }), "remember: "},
		"the future":      {with(func(r *sluicev1.RevokeRequest) { r.IssuedBefore = timestamppb.New(now.Add(2 * time.Minute)) }), "issued_before: "},
		"the past":        {with(func(r *sluicev1.RevokeRequest) { r.IssuedBefore = timestamppb.New(now.Add(-time.Hour)) }), ""},
		"no time":         {with(func(r *sluicev1.RevokeRequest) { r.IssuedBefore = &timestamppb.Timestamp{Nanos: -1} }), "issued_before: "},
	} {
		limits := DefaultLimits()
		r, err := limits.revoke(tt.req, now)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if name == "a user" && (!r.what.Until.Equal(now.Add(24*time.Hour)) || !r.what.Before.Equal(now)) {
			t.Errorf("the defaults are %+v", r.what)
		}
	}
}
