package auth

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// remembering verifies ES256 and keeps so many tokens; tokens makes them.
func remembering(t testing.TB, most int, change ...func(*Config)) (v *Verifier, token func(jwt.MapClaims) string) {
	a := newPair(t, pairs().ec, "a")
	cfg := Config{VerifiedTokens: most, Types: []Type{{Name: "web", JWKSFile: file(t, set(t, a.jwk))}}}
	for _, f := range change {
		f(&cfg)
	}
	return verifier(t, cfg), func(c jwt.MapClaims) string {
		return sign(t, jwt.SigningMethodES256, a.private, kid("a"), with(good(), c))
	}
}

func (v *Verifier) hits(t testing.TB) (hits, misses int) {
	return int(value(t, v.m.remembered.WithLabelValues("web", "hit"))), int(value(t, v.m.remembered.WithLabelValues("web", "miss")))
}

func (v *Verifier) expectHits(t testing.TB, hits, misses int) {
	t.Helper()
	if h, m := v.hits(t); h != hits || m != misses {
		t.Errorf("%d hits and %d misses, want %d and %d", h, m, hits, misses)
	}
}

func TestAVerifiedTokenIsRemembered(t *testing.T) {
	v, token := remembering(t, 10)
	one := token(jwt.MapClaims{"docs": []string{"d", "e*"}, "jti": "j", "iat": now.Unix() - 5})
	first, err := v.Verify(t.Context(), "web", one)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.Verify(t.Context(), "", one)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("%+v, was %+v, %v", again, first, err)
	}
	v.expectHits(t, 1, 1)
	// One that is refused is not remembered, and neither is one that is nearly right.
	for _, bad := range []string{one[:len(one)-2] + "AA", one + "A", token(jwt.MapClaims{"exp": now.Unix() - 1})} {
		for range 2 {
			if verify(t, v, bad) == "" {
				t.Errorf("%q is right", bad)
			}
		}
	}
	v.expectHits(t, 1, 7)
	if n := len(v.verified.known); n != 1 {
		t.Errorf("%d are remembered", n)
	}
}

func TestAVerifiedTokenEndsWhenItExpires(t *testing.T) {
	v, token := remembering(t, 10)
	clock := now
	v.now = func() time.Time { return clock }
	v.types["web"].parser = v.types["web"].cfg.parser(v.now)
	one := token(jwt.MapClaims{"exp": now.Add(time.Minute).Unix()})
	for _, step := range []struct {
		after time.Duration
		want  Cause
	}{{0, ""}, {time.Minute - 1, ""}, {time.Minute, CauseExpired}, {time.Hour, CauseExpired}} {
		clock = now.Add(step.after)
		if c := verify(t, v, one); c != step.want {
			t.Errorf("after %v: %q, want %q", step.after, c, step.want)
		}
	}
	v.expectHits(t, 1, 3)
}

// What was verified with a key goes with it, at the very load that drops it. A
// set that is the same leaves everything.
func TestAVerifiedTokenEndsWithItsKey(t *testing.T) {
	p := pairs()
	a, b := newPair(t, p.ec, "a"), newPair(t, p.rsa, "b")
	tokenA := sign(t, jwt.SigningMethodES256, a.private, kid("a"), good())
	tokenB := sign(t, jwt.SigningMethodRS256, b.private, kid("b"), good())
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		v := remote(t, &s)
		v.verified = newAnswers(10)
		runs(t, v)
		synctest.Wait()
		expect := func(token string, want Cause) {
			t.Helper()
			if c := verify(t, v, token); c != want {
				t.Errorf("%q, want %q", c, want)
			}
		}
		next := func(keys []byte) {
			s.set(keys)
			before := s.fetches.Load()
			for s.fetches.Load() == before {
				time.Sleep(time.Minute)
			}
			synctest.Wait()
		}
		expect(tokenA, "")
		next(set(t, a.jwk))
		expect(tokenA, "")
		v.expectHits(t, 1, 1)
		next(set(t, a.jwk, b.jwk))
		expect(tokenA, "")
		expect(tokenB, "")
		v.expectHits(t, 1, 3)
		next(set(t, b.jwk))
		expect(tokenA, CauseUnknownKey)
		expect(tokenB, "")
		next(set(t, a.jwk)) // an old set is another version as well
		expect(tokenA, "")
		v.expectHits(t, 1, 6)
	})
}

func TestTheMemoryOfVerifiedTokensIsBounded(t *testing.T) {
	const most = 3
	v, token := remembering(t, most)
	var tokens []string
	for n := range 100 * most {
		tokens = append(tokens, token(jwt.MapClaims{"sub": fmt.Sprint(n)}))
	}
	all := func(tokens []string) {
		for _, one := range tokens {
			if c := verify(t, v, one); c != "" {
				t.Error(c)
			}
		}
	}
	all(tokens[:most])
	all(tokens[:most])
	v.expectHits(t, most, most) // at the limit
	all(tokens[most : most+1])
	all(tokens[1 : most+1])
	v.expectHits(t, 2*most, most+1) // one above: the oldest went
	all(tokens[:1])
	v.expectHits(t, 2*most, most+2)
	all(tokens)
	if n := len(v.verified.known); n != most || v.verified.order.Len() != most {
		t.Errorf("%d are remembered", n)
	}
}

func TestTokensOfASecretAreNotRemembered(t *testing.T) {
	cfg := oneType()
	cfg.VerifiedTokens = 10
	v := verifier(t, cfg)
	for range 2 {
		if c := verify(t, v, hs256(t, good())); c != "" {
			t.Error(c)
		}
	}
	v.expectHits(t, 0, 0)
	v, token := remembering(t, 0) // off
	for range 2 {
		if c := verify(t, v, token(nil)); c != "" {
			t.Error(c)
		}
	}
	v.expectHits(t, 0, 0)
}

// The same token of another type is another one.
func TestAVerifiedTokenIsOfItsType(t *testing.T) {
	v, token := remembering(t, 10, func(c *Config) {
		strict := c.Types[0]
		strict.Name, strict.Audience = "strict", []string{"us"}
		c.Types, c.DefaultType = append(c.Types, strict), "web"
	})
	one := token(jwt.MapClaims{"aud": "them", "iss": "x"})
	if _, err := v.Verify(t.Context(), "web", one); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), "strict", one); CauseOf(err) != CauseAudience {
		t.Errorf("%q", CauseOf(err))
	}
}

func TestVerifiedTokensAreBoundedBySettings(t *testing.T) {
	for n, ok := range map[int]bool{-1: false, 0: true, 1_000_000: true, 1_000_001: false} {
		if err := (&Config{VerifiedTokens: n}).Validate(); (err == nil) != ok {
			t.Errorf("%d: %v", n, err)
		}
	}
}
