package component

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// asking is a gateway's end of a Verifier that is served on loopback.
func asking(t *testing.T, token string, verify Verify) sluicev1.VerifierClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	RegisterVerifier(srv, token, verify)
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		srv.Stop()
		wg.Wait()
	})
	return sluicev1.NewVerifierClient(conn)
}

func TestAVerifierAnswersRefusesOrFails(t *testing.T) {
	end, begun := time.UnixMilli(1_900_000_000_000), time.UnixMilli(1_800_000_000_000)
	c := asking(t, "", func(_ context.Context, authType, token string) (Identity, error) {
		switch token {
		case "bad":
			return Identity{}, fmt.Errorf("no such session: %w", ErrRefused)
		case "broken":
			return Identity{}, errors.New("database away")
		case "panic":
			panic("oops")
		case "endless":
			return Identity{User: "u"}, nil
		}
		return Identity{
			User: "u-" + token, Documents: []string{"d"}, ExpiresAt: end, IssuedAt: begun, TokenID: "t", Locale: "de", ClientVersion: authType,
		}, nil
	})
	ask := func(token string) (*sluicev1.VerifyResponse, error) {
		return c.Verify(timeout(t), &sluicev1.VerifyRequest{AuthType: "mobile", Token: token})
	}
	resp, err := ask("x")
	if i := resp.GetIdentity(); err != nil || i.GetUser() != "u-x" || i.GetDocuments()[0] != "d" || !i.GetExpiresAt().AsTime().Equal(end) ||
		!i.GetIssuedAt().AsTime().Equal(begun) || i.GetTokenId() != "t" || i.GetLocale() != "de" || i.GetClientVersion() != "mobile" {
		t.Errorf("%v %v", resp, err)
	}
	if resp, err := ask("bad"); err != nil || resp.GetRefused() == nil || resp.GetIdentity() != nil {
		t.Errorf("%v %v", resp, err)
	}
	if resp, err := ask("endless"); err != nil || resp.GetIdentity().GetExpiresAt() != nil || resp.GetIdentity().GetIssuedAt() != nil {
		t.Errorf("%v %v", resp, err)
	}
	for token, want := range map[string]codes.Code{"broken": codes.Unavailable, "panic": codes.Internal} {
		if _, err := ask(token); status.Code(err) != want {
			t.Errorf("%s: %v", token, err)
		}
	}
}

func TestAVerifierKnowsItsGateways(t *testing.T) {
	c := asking(t, "secret", func(context.Context, string, string) (Identity, error) { return Identity{User: "u"}, nil })
	for shown, want := range map[string]codes.Code{"secret": codes.OK, "secret2": codes.Unauthenticated, "": codes.Unauthenticated} {
		ctx := timeout(t)
		if shown != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "sluice-token", shown)
		}
		if _, err := c.Verify(ctx, &sluicev1.VerifyRequest{Token: "x"}); status.Code(err) != want {
			t.Errorf("%q: %v, want %v", shown, err, want)
		}
	}
}
