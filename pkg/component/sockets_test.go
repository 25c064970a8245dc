package component

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestSocketsPagesUntilTheEnd(t *testing.T) {
	const n = 25
	var requests []*sluicev1.ListSocketsRequest
	addr, _ := serve(t, "", &fake{listSockets: func(r *sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) {
		requests = append(requests, r)
		var from int
		fmt.Sscan(r.GetPageToken(), &from)
		if r.GetDocument() == "broken" && from > 0 {
			return nil, status.Error(codes.Internal, "page lost")
		}
		resp := new(sluicev1.ListSocketsResponse)
		for i := from; i < min(from+10, n); i++ {
			resp.Sockets = append(resp.Sockets, &sluicev1.Socket{Id: fmt.Sprint(i), Seen: timestamppb.New(time.Unix(int64(i), 0))})
		}
		if from+10 < n {
			resp.NextPageToken = fmt.Sprint(from + 10)
		}
		return resp, nil
	}})
	c, ctx := dial(t, addr), timeout(t)
	var got []string
	for s, err := range c.Sockets(ctx, List{Of: Of{Document: "d"}, Details: true, PageSize: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Seen.Unix() != int64(len(got)) || !s.Since.IsZero() {
			t.Errorf("socket %s has times %v, %v", s.ID, s.Seen, s.Since)
		}
		got = append(got, s.ID)
	}
	if len(got) != n || got[n-1] != "24" || len(requests) != 3 || requests[0].GetDocument() != "d" || !requests[2].GetDetails() || requests[2].GetPageSize() != 10 {
		t.Errorf("%d sockets in %d requests: %v", len(got), len(requests), requests)
	}

	requests = nil
	for range c.Sockets(ctx, List{Of: Of{Document: "d"}}) {
		break
	}
	if len(requests) != 1 {
		t.Errorf("%d pages fetched for the first socket", len(requests))
	}

	var errs []error
	count := 0
	for _, err := range c.Sockets(ctx, List{Of: Of{Document: "broken"}}) {
		count++
		if err != nil {
			errs = append(errs, err)
		}
	}
	if count != 11 || len(errs) != 1 || status.Code(errs[0]) != codes.Internal {
		t.Errorf("%d values with errors %v", count, errs)
	}
	for _, err := range c.Sockets(ctx, List{Of: Of{User: "u", Document: "d"}}) {
		if err != ErrOneTarget {
			t.Errorf("two targets: %v", err)
		}
	}
}

func TestLookUps(t *testing.T) {
	addr, _ := serve(t, "", &fake{
		getSocket: func(_ context.Context, r *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
			return &sluicev1.GetSocketResponse{Socket: &sluicev1.Socket{
				Id: r.GetSocket(), User: "u", Documents: []string{"d"}, Replica: 7, AuthType: "jwt", ClientVersion: "1.2", Locale: "en",
				Since: timestamppb.New(time.Unix(1, 0)), Seen: timestamppb.New(time.Unix(2, 0)),
			}}, nil
		},
		count: func(r *sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) {
			return &sluicev1.CountSocketsResponse{Sockets: uint64(len(r.GetUser())*10 + len(r.GetDocument()))}, nil
		},
	})
	c, ctx := dial(t, addr), timeout(t)
	s, err := c.GetSocket(ctx, "s")
	want := Socket{ID: "s", User: "u", Documents: []string{"d"}, Replica: 7, AuthType: "jwt", ClientVersion: "1.2", Locale: "en",
		Since: time.Unix(1, 0).UTC(), Seen: time.Unix(2, 0).UTC()}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("GetSocket = %+v, %v", s, err)
	}
	if n, err := c.CountSockets(ctx, Of{User: "ab"}); err != nil || n != 20 {
		t.Errorf("of a user: %d, %v", n, err)
	}
	if n, err := c.CountSockets(ctx, Of{Document: "abc"}); err != nil || n != 3 {
		t.Errorf("of a document: %d, %v", n, err)
	}
	if _, err := c.CountSockets(ctx, Of{}); err != ErrOneTarget {
		t.Errorf("of nothing: %v", err)
	}
}
