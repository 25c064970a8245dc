package api

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestASocketIsDescribed(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann", "doc-1", "secret-2")
	resp, err := h.client.GetSocket(h.ctx(), &sluicev1.GetSocketRequest{Socket: a.String()})
	if err != nil {
		t.Fatal(err)
	}
	s := resp.GetSocket()
	if s.GetId() != a.String() || s.GetUser() != "ann" || s.GetReplica() != 1 || s.GetAuthType() != "jwt" || s.GetClientVersion() != "1.2" ||
		s.GetLocale() != "en" || time.Since(s.GetSince().AsTime()).Abs() > time.Minute || time.Since(s.GetSeen().AsTime()).Abs() > time.Minute {
		t.Errorf("%v", s)
	}
	if strings.Join(s.GetDocuments(), " ") != "doc-1" {
		t.Errorf("documents outside of the grant are shown: %v", s.GetDocuments())
	}
	if _, err := h.client.GetSocket(h.ctx(), &sluicev1.GetSocketRequest{Socket: sid(1, 2).String()}); status.Code(err) != codes.NotFound {
		t.Errorf("a gone one: %v", err)
	}
}

func TestListsComeInPages(t *testing.T) {
	h := newHouse(t)
	one, two := h.resident(1), h.resident(2)
	for i := range 12 {
		one.connect(sid(1, i+1), "ann", "doc-1")
		two.connect(sid(2, i+1), "ann", "doc-1")
	}
	for _, req := range []*sluicev1.ListSocketsRequest{
		{Of: &sluicev1.ListSocketsRequest_User{User: "ann"}, PageSize: 5},
		{Of: &sluicev1.ListSocketsRequest_Document{Document: "doc-1"}, PageSize: 5, Details: true},
	} {
		seen := map[string]bool{}
		for pages := 0; ; pages++ {
			resp, err := h.client.ListSockets(h.ctx(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range resp.GetSockets() {
				if seen[s.GetId()] || s.GetSeen() == nil || (s.GetUser() == "ann") != req.GetDetails() {
					t.Errorf("%v", s)
				}
				seen[s.GetId()] = true
			}
			if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
				if pages != 4 {
					t.Errorf("%d pages", pages+1)
				}
				break
			}
		}
		if len(seen) != 24 {
			t.Errorf("%d sockets", len(seen))
		}
		req.PageToken = pageToken(mustList(t, req).of, "not a cursor")
		if _, err := h.client.ListSockets(h.ctx(), req); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "page_token") {
			t.Errorf("a forged cursor: %v", err)
		}
	}
	for _, of := range []*sluicev1.CountSocketsRequest{
		{Of: &sluicev1.CountSocketsRequest_User{User: "ann"}}, {Of: &sluicev1.CountSocketsRequest_Document{Document: "doc-1"}},
	} {
		if n, err := h.client.CountSockets(h.ctx(), of); err != nil || n.GetSockets() != 24 {
			t.Errorf("%v, %v", n, err)
		}
	}
}

func mustList(t *testing.T, req *sluicev1.ListSocketsRequest) *list {
	t.Helper()
	l, err := DefaultLimits().list(&sluicev1.ListSocketsRequest{Of: req.GetOf()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLookUpsSayWhenTheIndexIsAway(t *testing.T) {
	h := newHouse(t)
	h.mini.SetError("LOADING away")
	ctx, user := h.ctx(), "ann"
	for name, err := range map[string]error{
		"get":   second(h.client.GetSocket(ctx, &sluicev1.GetSocketRequest{Socket: sid(1, 1).String()})),
		"list":  second(h.client.ListSockets(ctx, &sluicev1.ListSocketsRequest{Of: &sluicev1.ListSocketsRequest_User{User: user}})),
		"count": second(h.client.CountSockets(ctx, &sluicev1.CountSocketsRequest{Of: &sluicev1.CountSocketsRequest_User{User: user}})),
		"kick":  second(h.client.Kick(ctx, &sluicev1.KickRequest{Who: &sluicev1.Selection{Users: []string{user}}})),
	} {
		if status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "LOADING") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPageIsCutWhenItIsTooLargeToSend(t *testing.T) {
	h := newHouse(t, func(w *world) {
		w.cfg.Limits.MaxPayload, w.cfg.Limits.MaxPushBytes = 2000, 2000
		w.cfg.Server.MaxMessage = 4000
	})
	one := h.resident(1)
	var docs []id.Doc
	for i := range 10 {
		docs = append(docs, id.Doc("doc-"+strings.Repeat("x", 90)+string(rune('a'+i))))
	}
	for i := range 9 {
		one.connect(sid(1, i+1), "ann", docs...)
	}
	seen := 0
	req := &sluicev1.ListSocketsRequest{Of: &sluicev1.ListSocketsRequest_User{User: "ann"}, Details: true}
	for pages := 1; ; pages++ {
		resp, err := h.client.ListSockets(h.ctx(), req)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(resp.GetSockets())
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			if pages < 4 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if seen != 9 {
		t.Errorf("%d sockets", seen)
	}
}
