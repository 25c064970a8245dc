package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func cursor(change func(r *sluicev1.PushRequest)) *sluicev1.PushRequest {
	r := &sluicev1.PushRequest{Event: &sluicev1.Event{Name: "cursor", Args: "[1]"}, Delivery: sluicev1.Delivery_DELIVERY_EPHEMERAL}
	change(r)
	return r
}

func TestEphemeralPushesGoWhereTheReceiversAre(t *testing.T) {
	h := newHouse(t)
	one, two, three := h.resident(1), h.resident(2), h.resident(3)
	a := one.connect(sid(1, 1), "ann", "doc-1")
	one.connect(sid(1, 2), "ann", "doc-1", "doc-2")
	two.connect(sid(2, 1), "ann", "doc-1")
	moved := two.connect(sid(1, 9), "bob") // minted by one, resumed on two
	three.connect(sid(3, 1), "cid", "doc-2")
	gone := sid(3, 7)
	for name, tc := range map[string]struct {
		req  *sluicev1.PushRequest
		want [3]string
		lost float64
	}{
		"a document": {cursor(func(r *sluicev1.PushRequest) { r.Documents = []string{"doc-1"} }),
			[3]string{"d:doc-1=cursor", "d:doc-1=cursor", ""}, 0},
		"two documents": {cursor(func(r *sluicev1.PushRequest) { r.Documents = []string{"doc-1", "doc-2"} }),
			[3]string{"d:doc-1=cursor d:doc-2=cursor", "d:doc-1=cursor", "d:doc-2=cursor"}, 0},
		"an empty document": {cursor(func(r *sluicev1.PushRequest) { r.Documents = []string{"doc-9"} }), [3]string{}, 1},
		"a user":            {cursor(func(r *sluicev1.PushRequest) { r.Users = []string{"ann"} }), [3]string{"u:ann=cursor", "u:ann=cursor", ""}, 0},
		"nobody":            {cursor(func(r *sluicev1.PushRequest) { r.Users = []string{"zoe"} }), [3]string{}, 1},
		"a socket":          {cursor(func(r *sluicev1.PushRequest) { r.Sockets = []string{a.String()} }), [3]string{"s:" + a.String() + "=cursor"}, 0},
		"a moved socket": {cursor(func(r *sluicev1.PushRequest) { r.Sockets = []string{moved.String()} }),
			[3]string{"", "s:" + moved.String() + "=cursor"}, 0},
		"a gone socket": {cursor(func(r *sluicev1.PushRequest) { r.Sockets = []string{gone.String()} }), [3]string{}, 1},
		"everybody":     {cursor(func(r *sluicev1.PushRequest) { r.All = true }), [3]string{"a:=cursor", "a:=cursor", "a:=cursor"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := counted(h.deps.Metrics.dropped, "nobody")
			resp, err := h.client.Push(h.ctx(), tc.req)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range []*resident{one, two, three} {
				got := g.taken()
				sortPushes(got)
				if describePushes(got) != tc.want[i] {
					t.Errorf("gateway %d got %q, want %q", i+1, describePushes(got), tc.want[i])
				}
				for _, p := range got {
					if p.Mid.String() != resp.GetMid() || p.LatestKey != "cursor" || p.Component != "docs" {
						t.Errorf("%+v", p)
					}
				}
				g.forget()
			}
			if n := counted(h.deps.Metrics.dropped, "nobody") - before; n != tc.lost {
				t.Errorf("%v without receivers", n)
			}
		})
	}
}

func TestEphemeralDropsAreCountedByReason(t *testing.T) {
	h := newHouse(t)
	one, two := h.resident(1), h.resident(2)
	a, b := one.connect(sid(1, 1), "ann", "doc-1"), two.connect(sid(2, 1), "ann", "doc-1")
	push := func(s id.Socket) {
		t.Helper()
		if _, err := h.client.Push(h.ctx(), cursor(func(r *sluicev1.PushRequest) { r.Sockets = []string{s.String()} })); err != nil {
			t.Error(err)
		}
	}
	one.fakeGateway.mu.Lock()
	one.full = true
	one.fakeGateway.mu.Unlock()
	push(a)
	h.mesh.mu.Lock()
	delete(h.mesh.gateways, 2)
	h.mesh.mu.Unlock()
	push(b)
	h.mesh.mu.Lock()
	h.mesh.fail = errors.New("something else")
	h.mesh.mu.Unlock()
	push(a)
	for _, reason := range []string{"busy", "gone", "failed"} {
		if n := counted(h.deps.Metrics.dropped, reason); n != 1 {
			t.Errorf("%s: %v", reason, n)
		}
	}
}

func TestWithoutTheIndexSocketsAreFoundByTheirIds(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann", "doc-1")
	one.leave()
	h.mini.SetError("LOADING away")
	if _, err := h.client.Push(h.ctx(), cursor(func(r *sluicev1.PushRequest) { r.Sockets = []string{a.String()} })); err != nil {
		t.Error(err)
	}
	if got := describePushes(one.taken()); got != "s:"+a.String()+"=cursor" {
		t.Errorf("got %q", got)
	}
	_, err := h.client.Push(h.ctx(), cursor(func(r *sluicev1.PushRequest) { r.Documents = []string{"doc-1"} }))
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "session index") || strings.Contains(err.Error(), "LOADING") {
		t.Errorf("a document: %v", err)
	}
}

func TestALatestKeyIsPassedOn(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	one.connect(sid(1, 1), "ann", "doc-1")
	if _, err := h.client.Push(h.ctx(), cursor(func(r *sluicev1.PushRequest) {
		r.Documents, r.LatestKey = []string{"doc-1"}, "cursor-of-ann"
	})); err != nil {
		t.Fatal(err)
	}
	if got := one.taken(); len(got) != 1 || got[0].LatestKey != "cursor-of-ann" || got[0].Multi {
		t.Errorf("%+v", got)
	}
}

func TestManyUsersAreLookedUpTogether(t *testing.T) {
	h := newHouse(t)
	one, two := h.resident(1), h.resident(2)
	var users []string
	for i := range 300 {
		user := names64("user-")(i + 1)[i]
		users = append(users, user)
		one.connect(sid(1, i+1), id.User(user))
		two.connect(sid(2, i+1), id.User(user))
	}
	if _, err := h.client.Push(h.ctx(), cursor(func(r *sluicev1.PushRequest) { r.Users = users })); err != nil {
		t.Fatal(err)
	}
	if len(one.taken()) != 300 || len(two.taken()) != 300 {
		t.Errorf("%d and %d deliveries", len(one.taken()), len(two.taken()))
	}
}

func TestAnUnknownUserIsNoError(t *testing.T) {
	h := newHouse(t)
	sockets, err := h.server.socketsOf(context.Background(), "nobody", 1)
	if err != nil || len(sockets) != 0 {
		t.Errorf("%v, %v", sockets, err)
	}
	one := h.resident(1)
	for i := range 3 {
		one.connect(sid(1, i+1), "ann")
	}
	if _, err := h.server.socketsOf(context.Background(), "ann", 2); !errors.Is(err, ErrInvalid) {
		t.Errorf("above the limit: %v", err)
	}
	if sockets, err = h.server.socketsOf(context.Background(), "ann", 3); err != nil || !slices.Equal(sockets, []id.Socket{sid(1, 1), sid(1, 2), sid(1, 3)}) {
		t.Errorf("at the limit: %v, %v", sockets, err)
	}
}
