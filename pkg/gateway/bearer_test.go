package gateway

import (
	"hash/maphash"
	"math"
	"testing"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/session"
)

func packer() *Gateway { return &Gateway{intern: newInterner(), marks: maphash.MakeSeed()} }

func TestPackedGrantsAllowWhatTheTokenDoes(t *testing.T) {
	for _, docs := range [][]string{
		nil, {""}, {"*"}, {"a"}, {"a*"}, {"a", "b"}, {"a*", "b"}, {"a*b"}, {"", "b"}, {"a", "a*", "bc*"},
	} {
		who := auth.Identity{Docs: docs}
		g := grantsOf(docs)
		for _, d := range []id.Doc{"", "a", "b", "ab", "aab", "bc", "bcd", "a*b", "*", "a*"} {
			if got, want := g.mayJoin(d), who.MayJoin(d); got != want {
				t.Errorf("%q: may join %q is %v", docs, d, got)
			}
		}
	}
	// No such name is a document's, and it must not become two grants.
	if g := grantsOf([]string{"a\x00*", "c"}); g.mayJoin("b") || !g.mayJoin("c") {
		t.Errorf("a NUL makes grants of %q", g)
	}
}

func TestAPackedIdentityIsTheSame(t *testing.T) {
	g := packer()
	end := time.UnixMilli(1_900_000_000_123)
	who := auth.Identity{
		User: "ann", AuthType: "web", TokenID: "t-1", Docs: []string{"d"}, Locale: "de", ClientVersion: "1.2",
		ExpiresAt: end, Issued: 1_800_000_000, Anonymous: true,
	}
	b := g.bearerOf(&who)
	if want := (traits{"web", "1.2", "de", true}); *b.traits != want || b.ends != end.UnixMilli() || b.issued != 1_800_000_000 || b.warned || b.expired {
		t.Errorf("packed as %+v, %+v", b, *b.traits)
	}
	if other := g.bearerOf(&who); other.traits != b.traits {
		t.Error("the same traits are kept twice")
	}
	none := g.bearerOf(&auth.Identity{Issued: -1})
	if none.ends != 0 || none.issued != 0 || none.token != 0 {
		t.Errorf("nothing is packed as %+v", none)
	}
	if far := g.bearerOf(&auth.Identity{Issued: math.MaxInt64, ExpiresAt: time.Unix(-5, 0)}); far.issued != math.MaxUint32 || far.ends != 1 {
		t.Errorf("what is out of range is packed as %+v", far)
	}
}

func TestTraitsBeyondTheBoundAreNotShared(t *testing.T) {
	n := newInterner()
	for i := range 2 * maxInterned {
		n.of(traits{version: string(rune(i + 1))})
	}
	if len(n.known) != maxInterned {
		t.Errorf("%d traits are kept", len(n.known))
	}
	if got := n.of(traits{version: "new"}); got.version != "new" {
		t.Errorf("got %+v", got)
	}
}

func TestARevocationCoversPackedIdentitiesAsTokens(t *testing.T) {
	g := packer()
	now := time.UnixMilli(1_800_000_000_500)
	for _, what := range []session.RevokedTokens{
		{User: "ann"}, {User: "ann", AuthType: "web"}, {User: "ann", AuthType: "sdk"}, {User: "ben"}, {ID: "t-1"},
		{ID: "t-2"}, {ID: "t-1", AuthType: "sdk"}, {ID: "t-1", AuthType: "web"},
	} {
		w := g.withdrawalOf(session.Revocation{RevokedTokens: what, Before: now})
		for _, who := range []auth.Identity{
			{User: "ann", AuthType: "web", TokenID: "t-1", Issued: now.Unix()}, {User: "ann", AuthType: "web", Issued: now.Unix() + 1},
			{User: "ann", AuthType: "sdk", TokenID: "t-2"}, {AuthType: "web", TokenID: "t-1", Issued: now.Unix() + 1}, {AuthType: "web"},
		} {
			s := newShard(1, nil)
			c := &Connection{shard: s, who: g.bearerOf(&who)}
			if who.User != "" {
				s.joinLocked(c, id.UserTarget(who.User))
			}
			if got, want := w.coversLocked(c), w.Covers(tokenOf(&who)); got != want {
				t.Errorf("%+v of %+v: covered is %v", what, who, got)
			}
		}
	}
}
