package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// unauthorized is what all of them are told, whatever was wrong.
const unauthorized = `44{"message":"Not authorized","data":{"code":"unauthorized","retry":"new_token"}}`

// stranger is an attack that shows a token that must not be believed.
func stranger(name, auth string) attack { return refusedConnect(name, auth, unauthorized) }

func refusedConnect(name, auth, want string) attack {
	return attack{name, func(ctx context.Context, p *party) error {
		s, err := p.session(ctx)
		if err != nil {
			return err
		}
		if err := s.post(ctx, "40"+auth); err != nil {
			return err
		}
		if err := s.expect(ctx, want); err != nil {
			return err
		}
		return s.post(ctx, "1")
	}}
}

func authAttacks(t *testing.T) []attack {
	hour := time.Now().Add(time.Hour).Unix()
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		signed, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	hs := func(claims jwt.MapClaims) string { return sign(jwt.SigningMethodHS256, []byte(jwtSecret), claims) }
	with := func(token string, more ...string) string {
		return "{" + strings.Join(append(more, fmt.Sprintf(`"token":%q`, token)), ",") + "}"
	}
	good := token(t, "stranger")
	parts := strings.Split(good, ".")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	strict := `"authType":"strict"`
	return []attack{
		stranger("no token", "{}"),
		stranger("algorithm none", with(sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "a", "exp": hour}))),
		stranger("algorithm none, in capitals", with(header(`{"alg":"NONE"}`)+"."+parts[1]+".")),
		stranger("another algorithm than the type's", with(sign(jwt.SigningMethodHS512, []byte(jwtSecret), jwt.MapClaims{"sub": "a", "exp": hour}))),
		stranger("signed by nobody", with(parts[0]+"."+parts[1]+".")),
		stranger("signed with another key", with(sign(jwt.SigningMethodHS256, []byte(strings.Repeat("k", 32)), jwt.MapClaims{"sub": "a", "exp": hour}))),
		stranger("key in the token", with(header(`{"alg":"HS256","jwk":{"kty":"oct","k":"QUFBQQ"}}`)+"."+parts[1]+"."+parts[2])),
		stranger("key at an address", with(header(`{"alg":"HS256","jku":"http://127.0.0.1:1/keys","kid":"../../etc/passwd"}`)+"."+parts[1]+"."+parts[2])),
		stranger("claims changed", with(parts[0]+"."+header(`{"sub":"admin","exp":9999999999}`)+"."+parts[2])),
		stranger("expired", with(hs(jwt.MapClaims{"sub": "a", "exp": time.Now().Add(-time.Second).Unix()}))),
		stranger("not yet valid", with(hs(jwt.MapClaims{"sub": "a", "exp": hour, "nbf": hour - 60}))),
		stranger("never expires", with(hs(jwt.MapClaims{"sub": "a"}))),
		stranger("nobody's token", with(hs(jwt.MapClaims{"exp": hour}))),
		stranger("user with control characters", with(hs(jwt.MapClaims{"sub": evil, "exp": hour}))),
		stranger("user of a kilobyte", with(hs(jwt.MapClaims{"sub": strings.Repeat("u", 1000), "exp": hour}))),
		stranger("ten thousand grants", with(hs(jwt.MapClaims{"sub": "a", "exp": hour, "docs": make([]string, 1000)}))),
		stranger("wrong issuer", with(hs(jwt.MapClaims{"sub": "a", "exp": hour, "iss": "https://evil.example.com", "aud": "sluice"}), strict)),
		stranger("wrong audience", with(hs(jwt.MapClaims{"sub": "a", "exp": hour, "iss": "https://login.example.com", "aud": "mail"}), strict)),
		stranger("unknown type", with(good, `"authType":"carrier-pigeon"`)),
		stranger("token of control characters", `{"token":"\u001b[31m\r\nforged"}`),
		stranger("token of fifty kilobytes", with(strings.Repeat("A", 50_000))),
		stranger("token of ten thousand dots", with(strings.Repeat(".", 10_000))),
		refusedConnect("token that is a number", `{"token":7}`, `44{"message":"Bad credentials","data":{"code":"credentials"`),
		refusedConnect("endless locale", with(good, `"locale":"`+strings.Repeat("l", 5000)+`"`), `44{"message":"Bad credentials","data":{"code":"credentials"`),
		{"token in a cookie alone", cookieAlone(good)},
		{"stolen sid with another token", stolenSID(good, token(t, "thief"))},
		{"another user's token for a connection", otherToken(token(t, "owner"), token(t, "other"))},
		{"new tokens in a flood", newTokens(token(t, "busy owner"))},
		{"token that ends while connected", endsWhileConnected(t)},
	}
}

// stolenSID knows a sid and shows the token of somebody else: it is refused, and
// the session goes on.
func stolenSID(owner, thief string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.joined(ctx, fmt.Sprintf(`{"token":%q}`, owner))
		if err != nil {
			return err
		}
		for _, r := range []string{
			request("GET", s.url, "", "Authorization: Bearer "+thief), request("POST", s.url, "41", "Authorization: Bearer "+thief),
			request("GET", s.url+"&token="+thief, ""),
		} {
			a, err := s.say(ctx, r)
			if err := refused(a, err, http.StatusForbidden, 4); err != nil {
				return err
			}
		}
		return s.post(ctx, "1")
	}
}

// otherToken shows somebody else's token on a connection of its own.
func otherToken(owner, other string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, fmt.Sprintf(`{"token":%q}`, owner))
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // it goes on until here
		if err := s.text(fmt.Sprintf(`427["sluice:auth",{"token":%q}]`, other)); err != nil {
			return err
		}
		return s.expect(`437[{"ok":false,"code":"identity"`)
	}
}

// newTokens shows one good token after the other.
func newTokens(owner string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, fmt.Sprintf(`{"token":%q}`, owner))
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // it goes on until here
		for i := range 50 {
			if err := s.text(fmt.Sprintf(`42%d["sluice:auth",{"token":%q}]`, 100+i, owner)); err != nil {
				return err
			}
		}
		for {
			answer, err := s.message()
			if err != nil {
				return err
			}
			if strings.Contains(answer, `[{"ok":false,"code":"busy","retry":"later","retryAfterMs":`) {
				return nil
			}
		}
	}
}

// endsWhileConnected stays longer than its token.
func endsWhileConnected(t *testing.T) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, fmt.Sprintf(`{"token":%q}`, shortToken(t, 4*time.Second)))
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has closed it
		if err := s.expect(`42["sluice:closing",{"code":"expired","retry":"new_token"`); err != nil {
			return err
		}
		return s.closedWith(0)
	}
}

func shortToken(t *testing.T, lasts time.Duration) string {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "short", "exp": float64(time.Now().Add(lasts).UnixMilli()) / 1000,
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Error(err)
	}
	return signed
}

// cookieAlone shows a good token where other pages' requests would show it, too.
func cookieAlone(token string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		a, err := p.say(ctx, request("GET", pollingURL, "", "Cookie: token="+token+"; Authorization=Bearer "+token))
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("handshake: %d, %w", a.status, err)
		}
		_, rest, _ := strings.Cut(a.body, `0{"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		s := &polled{party: p, sid: sid, url: pollingURL + "&sid=" + sid}
		if err := s.post(ctx, "40"); err != nil {
			return err
		}
		if err := s.expect(ctx, unauthorized); err != nil {
			return err
		}
		return s.post(ctx, "1")
	}
}
