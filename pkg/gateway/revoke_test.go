package gateway

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/session"
	"sluice/pkg/transport"
)

// counted reads a counter.
func counted(c prometheus.Metric) float64 {
	var out dto.Metric
	if err := c.Write(&out); err != nil {
		panic(err)
	}
	return out.GetCounter().GetValue()
}

// revoking is a request about a user's tokens up to now.
func revoking(user string) *meshv1.RevokeRequest {
	now := time.Now()
	return &meshv1.RevokeRequest{User: user, IssuedBefore: now.UnixMilli(), Until: now.Add(time.Hour).UnixMilli()}
}

func TestRevokedConnectionsAreSentOff(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
	w.tokens(epoch())
	ann := w.dial(`{"token":"ann/3600"}`)
	ann.send(`40/a,{"token":"ann/3600"}`)
	ann.next()
	other := w.dial(`{"token":"ann/7200"}`)
	ben := w.dial(`{"token":"ben/3600"}`)

	r := revoking("ann")
	r.Reason = `left the "company"`
	if got := w.gateway.Revoke(r); got.GetSockets() != 2 {
		t.Errorf("%d sockets are closed", got.GetSockets())
	}
	ann.expect(`42["sluice:closing",{"code":"revoked","retry":"new_token","message":"left the \"company\""}]`, "41", "41/a,", "1")
	other.next()
	eventually(t, "both to be gone", func() bool { return w.gateway.Sockets() == 1 })
	if _, ok := w.gateway.Lookup(ben.id); !ok {
		t.Error("somebody else is gone")
	}
	if got := w.gateway.Revoke(r); got.GetSockets() != 0 {
		t.Errorf("the second time %d sockets are closed", got.GetSockets())
	}
	for _, token := range []string{"ann/3600", "ann/9999"} { // this one was issued before as well
		p := w.open()
		p.send(fmt.Sprintf(`40{"token":%q}`, token))
		p.expect(`44{"message":"Not authorized","data":{"code":"revoked","retry":"new_token"}}`)
	}
}

func TestOneTokenIsRevoked(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	first, second := w.dial(`{"token":"ann/3600"}`), w.dial(`{"token":"ann/7200"}`)
	r := &meshv1.RevokeRequest{TokenId: "ann/3600", Until: time.Now().Add(time.Hour).UnixMilli()}
	if got := w.gateway.Revoke(r); got.GetSockets() != 1 {
		t.Errorf("%d sockets are closed", got.GetSockets())
	}
	first.next()
	if _, ok := w.gateway.Lookup(second.id); !ok {
		t.Error("another token's connection is gone")
	}
	r.TokenId, r.AuthType = "ann/7200", "other"
	if got := w.gateway.Revoke(r); got.GetSockets() != 0 {
		t.Errorf("%d sockets of another type are closed", got.GetSockets())
	}
}

func TestTokensIssuedAfterARevocationAreGood(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600"}`)
	r := revoking("ann")
	r.IssuedBefore = start.UnixMilli() - 1 // the second before
	if got := w.gateway.Revoke(r); got.GetSockets() != 0 {
		t.Errorf("%d sockets are closed", got.GetSockets())
	}
	w.dial(`{"token":"ann/7200"}`)
	r.IssuedBefore = start.UnixMilli() // the same second
	if got := w.gateway.Revoke(r); got.GetSockets() != 2 {
		t.Errorf("%d sockets are closed", got.GetSockets())
	}
	p.next()
}

func TestRedisKnowsOfRevocationsThatNobodyToldUs(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	w.mu.Lock()
	w.revoked = func(t session.Token) (bool, error) { return t.User == "ann", nil }
	w.mu.Unlock()
	p := w.open()
	p.send(`40{"token":"ann/3600"}`)
	p.expect(`44{"message":"Not authorized","data":{"code":"revoked","retry":"new_token"}}`)
	w.dial(`{"token":"ben"}`)
}

func TestARevocationThatTheMeshDidNotBringIsFound(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	p, other := w.dial(`{"token":"ann/3600"}`), w.dial(`{"token":"ben/3600"}`)
	told := session.Revocation{RevokedTokens: session.RevokedTokens{User: "ben"}, Before: time.Now(), Until: time.Now().Add(time.Hour)}
	w.gateway.revoked.tell(told) // by the mesh; its connections came later
	w.mu.Lock()
	w.recent = []session.Revocation{
		{RevokedTokens: session.RevokedTokens{User: "ann"}, Before: time.Now(), Until: time.Now().Add(time.Hour), Reason: "late news"},
		told, {RevokedTokens: session.RevokedTokens{User: "ben"}, Before: time.Now(), Until: time.Now().Add(-time.Second)},
	}
	w.mu.Unlock()
	since := time.Now()
	if next := w.gateway.catchUp(t.Context(), since); next.Before(since) {
		t.Errorf("the next look begins at %v", next)
	}
	p.expect(`42["sluice:closing",{"code":"revoked","retry":"new_token","message":"late news"}]`)
	version := w.gateway.revoked.version()
	w.gateway.catchUp(t.Context(), since)
	if w.gateway.revoked.version() != version {
		t.Error("what is known is told again")
	}
	if _, ok := w.gateway.Lookup(other.id); !ok {
		t.Error("what was told before, or is over, closed somebody")
	}
}

func TestWhatRedisCannotTell(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		w := newWorld(t, nil)
		w.gateway.policy.RefuseUnknown = refuse
		w.mu.Lock()
		w.revoked = func(session.Token) (bool, error) { return false, errAway }
		w.mu.Unlock()
		p := w.open()
		p.send(`40{"token":"ann"}`)
		want := `40{"sid":`
		if refuse {
			want = `44{"message":"Not authorized at the moment","data":{"code":"auth_unavailable","retry":"later","retryAfterMs":`
		}
		if got := p.next(); !strings.HasPrefix(got, want) {
			t.Errorf("refuse %v: %s", refuse, got)
		}
		if n := counted(w.gateway.m.revocationUnknown); n != 1 {
			t.Errorf("%v counted", n)
		}
	}
}

// A connect and a revocation at the same moment: whichever comes first, the
// connection does not stay.
func TestNobodySlipsPastARevocation(t *testing.T) {
	for range 50 {
		g := &Gateway{policy: auth.Policy{Remembered: 10}, now: time.Now, m: NewMetrics(prometheus.NewRegistry()), intern: newInterner()}
		g.revoked = newRevoked(10, time.Now)
		s := newShard(1, g.m)
		s.gw = g
		who := auth.Identity{User: "ann", Issued: time.Now().Unix()}
		what := session.Revocation{RevokedTokens: session.RevokedTokens{User: "ann"}, Before: time.Now(), Until: time.Now().Add(time.Hour)}
		as, whom := g.bearerOf(&who), g.withdrawalOf(what)
		seen := g.revoked.version()
		var in, found atomic.Int64
		var wg sync.WaitGroup
		for n := range 8 {
			c := &Connection{shard: s, id: id.Socket(n + 1)}
			wg.Go(func() {
				if c.admit(mainSpace, who.User, as, seen) == entered {
					in.Add(1)
				} else if !g.revoked.covers(tokenOf(&who)) {
					t.Error("turned away for nothing")
				}
			})
		}
		wg.Go(func() {
			g.revoked.tell(what)
			found.Add(int64(len(s.of(&whom, nil))))
		})
		wg.Wait()
		if in.Load() != found.Load() {
			t.Fatalf("%d came in, %d were found", in.Load(), found.Load())
		}
	}
}

func TestTheMemoryOfRevocationsIsBounded(t *testing.T) {
	for _, most := range []int{0, 1, 100} {
		r := newRevoked(most, time.Now)
		for n := range 100*most + 10 {
			r.tell(session.Revocation{
				RevokedTokens: session.RevokedTokens{ID: fmt.Sprint(n)}, Until: time.Now().Add(time.Duration(n+1) * time.Hour),
			})
			if len(r.known) > most {
				t.Fatalf("%d of %d are kept", len(r.known), most)
			}
		}
		if most == 0 {
			continue
		}
		if last := fmt.Sprint(100*most + 9); !r.covers(session.Token{ID: last}) || r.covers(session.Token{ID: "0"}) {
			t.Errorf("of %d the first ending is kept, or the last is not", most)
		}
	}
	ended := newRevoked(10, time.Now)
	ended.tell(session.Revocation{RevokedTokens: session.RevokedTokens{ID: "x"}, Until: time.Now().Add(-time.Second)})
	if ended.covers(session.Token{ID: "x"}) {
		t.Error("a revocation outlives its end")
	}
}
