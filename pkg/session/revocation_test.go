package session

import (
	"slices"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/redistest"
)

func (p *place) revocations(now func() time.Time) *Revocations {
	cfg := DefaultConfig()
	cfg.Prefix = p.Prefix
	return NewRevocations(cfg, p.Redis, NewMetrics(prometheus.NewRegistry()), now)
}

func TestRevokedTokensAreKnown(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		at := time.UnixMilli(1_800_000_000_500) // in the middle of a second
		r := p.revocations(func() time.Time { return at })
		remember := func(what RevokedTokens, before time.Time, life time.Duration) {
			t.Helper()
			if err := r.Remember(t.Context(), Revocation{RevokedTokens: what, Before: before, Until: at.Add(life)}); err != nil {
				t.Fatal(err)
			}
		}
		remember(RevokedTokens{User: "ann"}, at, time.Hour)
		remember(RevokedTokens{User: "ben", AuthType: "web"}, at, time.Hour)
		remember(RevokedTokens{ID: "t-1"}, at, time.Hour)
		remember(RevokedTokens{ID: "t-2", AuthType: "web"}, at, time.Hour)
		remember(RevokedTokens{User: "over"}, at, 0)
		second := at.Unix()
		for _, tt := range []struct {
			name  string
			token Token
			want  bool
		}{
			{"issued before", Token{User: "ann", AuthType: "web", Issued: second - 1}, true},
			{"issued in the same second", Token{User: "ann", AuthType: "web", Issued: second}, true},
			{"issued after", Token{User: "ann", AuthType: "web", Issued: second + 1}, false},
			{"issued nobody knows when", Token{User: "ann", AuthType: "web"}, true},
			{"somebody else", Token{User: "ann2", AuthType: "web"}, false},
			{"the auth type", Token{User: "ben", AuthType: "web"}, true},
			{"another auth type", Token{User: "ben", AuthType: "sdk"}, false},
			{"a token", Token{User: "x", ID: "t-1", AuthType: "web", Issued: second + 100}, true},
			{"a token of the auth type", Token{User: "x", ID: "t-2", AuthType: "web"}, true},
			{"one of another auth type", Token{User: "x", ID: "t-2", AuthType: "sdk"}, false},
			{"a token named like a user", Token{User: "x", ID: "ann", AuthType: "web"}, false},
			{"a user named like a token", Token{User: "t-1", AuthType: "web"}, false},
			{"over at once", Token{User: "over", AuthType: "web"}, false},
			{"nobody", Token{AuthType: "web"}, false},
		} {
			yes, err := r.Revoked(t.Context(), tt.token)
			if err != nil || yes != tt.want {
				t.Errorf("%s: %v %v", tt.name, yes, err)
			}
			var covered bool
			for _, what := range []Revocation{
				{RevokedTokens: RevokedTokens{User: "ann"}, Before: at}, {RevokedTokens: RevokedTokens{User: "ben", AuthType: "web"}, Before: at},
				{RevokedTokens: RevokedTokens{ID: "t-1"}, Before: at}, {RevokedTokens: RevokedTokens{ID: "t-2", AuthType: "web"}, Before: at},
			} {
				covered = covered || what.Covers(tt.token)
			}
			if covered != tt.want {
				t.Errorf("%s: a gateway says %v", tt.name, covered)
			}
		}
	})
}

func TestARepeatedRevocationUndoesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		at := time.Now()
		r := p.revocations(time.Now)
		ann := RevokedTokens{User: "ann"}
		for _, what := range []Revocation{
			{RevokedTokens: ann, Before: at, Until: at.Add(time.Hour)},
			{RevokedTokens: ann, Before: at.Add(-time.Hour), Until: at.Add(time.Minute)}, // overtaken on its way
		} {
			if err := r.Remember(t.Context(), what); err != nil {
				t.Fatal(err)
			}
		}
		if yes, err := r.Revoked(t.Context(), Token{User: "ann", Issued: at.Add(-time.Second).Unix()}); err != nil || !yes {
			t.Errorf("the earlier time won: %v %v", yes, err)
		}
		life, err := p.Redis.Client().PTTL(t.Context(), r.keys.revoked(ann)).Result()
		if err != nil || life < 59*time.Minute || life > time.Hour {
			t.Errorf("it is kept for %v, %v", life, err)
		}
	})
}

func TestRevocationsSayWhenRedisIsAway(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	r := p.revocations(time.Now)
	p.Mini.SetError("away")
	if _, err := r.Revoked(t.Context(), Token{User: "ann"}); err == nil {
		t.Error("nobody knows, and it says no")
	}
	what := Revocation{RevokedTokens: RevokedTokens{User: "ann"}, Until: time.Now().Add(time.Hour)}
	if err := r.Remember(t.Context(), what); err == nil {
		t.Error("nothing is remembered, and it says so to nobody")
	}
	p.Mini.SetError("")
	if yes, err := r.Revoked(t.Context(), Token{User: "ann"}); err != nil || yes {
		t.Errorf("%v %v", yes, err)
	}
}

func TestRecentRevocationsAreListedForAWhile(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		at := time.Now().Truncate(time.Millisecond)
		r := p.revocations(func() time.Time { return at })
		first := Revocation{RevokedTokens: RevokedTokens{User: "ann", AuthType: "web"}, Before: at, Until: at.Add(time.Hour), Reason: `a "word"`}
		second := Revocation{RevokedTokens: RevokedTokens{ID: "t"}, Before: at, Until: at.Add(time.Hour)}
		expect := func(since time.Time, want ...Revocation) {
			t.Helper()
			got, err := r.Recent(t.Context(), since)
			if err != nil || !slices.EqualFunc(got, want, func(a, b Revocation) bool {
				return a.RevokedTokens == b.RevokedTokens && a.Before.Equal(b.Before) && a.Until.Equal(b.Until) && a.Reason == b.Reason
			}) {
				t.Errorf("since %v: %v %v, want %v", since, got, err, want)
			}
		}
		expect(at)
		if err := r.Remember(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		begun := at
		at = at.Add(time.Minute)
		if err := r.Remember(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		expect(begun, second, first)
		expect(begun.Add(time.Millisecond), second)
		at = at.Add(RecentFor)
		third := Revocation{RevokedTokens: RevokedTokens{ID: "u"}, Before: at, Until: at.Add(time.Hour)}
		if err := r.Remember(t.Context(), third); err != nil {
			t.Fatal(err)
		}
		expect(begun, third)
		if err := p.Redis.Client().ZAdd(t.Context(), r.keys.revocations(), &redis.Z{Score: 2e12, Member: "of a newer version"}).Err(); err != nil {
			t.Fatal(err)
		}
		expect(begun, third)
	})
}
