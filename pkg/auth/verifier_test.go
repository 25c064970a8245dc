package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestVerify(t *testing.T) {
	v := verifier(t, oneType())
	c := with(good(), jwt.MapClaims{
		"jti": "t-1", "docs": []string{"d-1", "team/*"}, "auth_type": "web", "locale": "zh-Hans_CN", "client_version": "3.1.0+5",
		"iss": "whoever", "aud": "whatever", "nbf": now.Unix(), "iat": now.Add(time.Hour).Unix(), "other": map[string]any{"a": 1},
	})
	want := Identity{
		User: "u-1", AuthType: "web", TokenID: "t-1", Docs: []string{"d-1", "team/*"}, Locale: "zh-Hans_CN", ClientVersion: "3.1.0+5",
		ExpiresAt: now.Add(time.Hour), Issued: now.Unix(), // a clock that is ahead cannot outrun a revocation
	}
	for _, typ := range []string{"web", ""} {
		got, err := v.Verify(t.Context(), typ, hs256(t, c))
		if err != nil {
			t.Fatal(err, CauseOf(err))
		}
		got.ExpiresAt = got.ExpiresAt.UTC()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want\n%+v", got, want)
		}
	}
	if n := value(t, v.m.results.WithLabelValues("web", "ok")); n != 2 {
		t.Errorf("%v counted", n)
	}
}

func TestVerifyRefuses(t *testing.T) {
	cfg := oneType()
	cfg.Types = append(cfg.Types, Type{Name: "sdk", Secret: secret, Issuer: "https://id", Audience: []string{"sluice", "other"}, Leeway: time.Minute, AllowUnexpiring: true})
	cfg.DefaultType = "web"
	v := verifier(t, cfg)

	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	ok := hs256(t, good())
	parts := strings.Split(ok, ".")
	sdk := with(good(), jwt.MapClaims{"iss": "https://id", "aud": []string{"x", "other"}})
	claims := func(c jwt.MapClaims) string { return hs256(t, with(good(), c)) }
	sdkClaims := func(c jwt.MapClaims) string { return hs256(t, with(sdk, c)) }
	other := func(last byte) string { // another spelling of the same signature
		b := []byte(ok)
		b[len(b)-1] = last
		return string(b)
	}

	tests := []struct {
		name, typ, token string
		want             Cause
	}{
		{"good", "web", ok, ""},
		{"good for the sdk", "sdk", hs256(t, sdk), ""},
		{"no token", "web", "", CauseMissing},
		{"unknown type", "mobile", ok, CauseType},
		{"unknown type without token", "mobile", "", CauseType},
		{"type of another case", "Web", ok, CauseType},
		{"token of another type", "web", claims(jwt.MapClaims{"auth_type": "sdk"}), CauseType},
		{"auth_type a number", "web", claims(jwt.MapClaims{"auth_type": 1}), CauseMalformed},

		{"not a token", "web", "x", CauseMalformed},
		{"two parts", "web", parts[0] + "." + parts[1], CauseMalformed},
		{"four parts", "web", ok + ".x", CauseMalformed},
		{"dots", "web", "..", CauseMalformed},
		{"header not base64", "web", "!." + parts[1] + "." + parts[2], CauseMalformed},
		{"header not JSON", "web", segment("{") + "." + parts[1] + "." + parts[2], CauseMalformed},
		{"header a list", "web", segment("[]") + "." + parts[1] + "." + parts[2], CauseMalformed},
		{"header null", "web", segment("null") + "." + parts[1] + "." + parts[2], CauseAlgorithm},
		{"claims not JSON", "web", parts[0] + "." + segment("{") + "." + parts[2], CauseMalformed},
		{"claims a list", "web", parts[0] + "." + segment("[]") + "." + parts[2], CauseMalformed},
		{"signature not base64", "web", parts[0] + "." + parts[1] + ".!", CauseMalformed},
		{"padding", "web", ok + "=", CauseMalformed},
		{"critical extension", "web", sign(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"crit": []string{"b64"}}, good()), CauseMalformed},
		{"key id a number", "web", sign(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"kid": 1}, good()), CauseMalformed},
		{"bearer", "web", "Bearer " + ok, CauseMalformed},

		{"alg none", "web", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good()), CauseAlgorithm},
		{"alg None", "web", segment(`{"alg":"None"}`) + "." + parts[1] + ".", CauseAlgorithm},
		{"alg NONE with the signature", "web", segment(`{"alg":"NONE"}`) + "." + parts[1] + "." + parts[2], CauseAlgorithm},
		{"alg missing", "web", segment(`{"typ":"JWT"}`) + "." + parts[1] + "." + parts[2], CauseAlgorithm},
		{"alg a number", "web", segment(`{"alg":1}`) + "." + parts[1] + "." + parts[2], CauseAlgorithm},
		{"alg unknown", "web", segment(`{"alg":"XS1"}`) + "." + parts[1] + "." + parts[2], CauseAlgorithm},
		{"HS512", "web", sign(t, jwt.SigningMethodHS512, []byte(secret), nil, good()), CauseAlgorithm},
		{"RS256", "web", sign(t, jwt.SigningMethodRS256, pairs().rsa, nil, good()), CauseAlgorithm},

		{"another secret", "web", sign(t, jwt.SigningMethodHS256, []byte(secret+"x"), nil, good()), CauseSignature},
		{"no signature", "web", parts[0] + "." + parts[1] + ".", CauseSignature},
		{"claims changed", "web", parts[0] + "." + segment(`{"sub":"root","exp":9999999999}`) + "." + parts[2], CauseSignature},
		{"signature cut", "web", ok[:len(ok)-3], CauseSignature},

		{"expired", "web", claims(jwt.MapClaims{"exp": now.Unix()}), CauseExpired},
		{"expired long ago", "web", claims(jwt.MapClaims{"exp": 0}), CauseExpired},
		{"expired before 1970", "web", claims(jwt.MapClaims{"exp": -1}), CauseExpired},
		{"one second left", "web", claims(jwt.MapClaims{"exp": now.Unix() + 1}), ""},
		{"expired within leeway", "sdk", sdkClaims(jwt.MapClaims{"exp": now.Add(-59 * time.Second).Unix()}), ""},
		{"expired beyond leeway", "sdk", sdkClaims(jwt.MapClaims{"exp": now.Add(-60 * time.Second).Unix()}), CauseExpired},
		{"no expiry", "web", claims(jwt.MapClaims{"exp": nil}), CauseNoExpiry},
		{"no expiry, allowed", "sdk", sdkClaims(jwt.MapClaims{"exp": nil}), ""},
		{"expiry null", "web", hs256(t, jwt.MapClaims{"sub": "u", "exp": nil}), CauseNoExpiry},
		{"expiry a text", "web", claims(jwt.MapClaims{"exp": "tomorrow"}), CauseMalformed},
		{"expiry too far", "web", claims(jwt.MapClaims{"exp": 1e15}), CauseNoExpiry},
		{"not yet", "web", claims(jwt.MapClaims{"nbf": now.Add(time.Second).Unix()}), CauseNotYet},
		{"not yet, within leeway", "sdk", sdkClaims(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}), ""},

		{"issuer wrong", "sdk", sdkClaims(jwt.MapClaims{"iss": "https://id/"}), CauseIssuer},
		{"issuer missing", "sdk", sdkClaims(jwt.MapClaims{"iss": nil}), CauseIssuer},
		{"issuer a list", "sdk", sdkClaims(jwt.MapClaims{"iss": []string{"https://id"}}), CauseMalformed},
		{"audience wrong", "sdk", sdkClaims(jwt.MapClaims{"aud": "x"}), CauseAudience},
		{"audience missing", "sdk", sdkClaims(jwt.MapClaims{"aud": nil}), CauseAudience},
		{"audience empty", "sdk", sdkClaims(jwt.MapClaims{"aud": []string{}}), CauseAudience},
		{"audience a text", "sdk", sdkClaims(jwt.MapClaims{"aud": "sluice"}), ""},
		{"audience a number", "sdk", sdkClaims(jwt.MapClaims{"aud": 1}), CauseMalformed},

		{"subject missing", "web", claims(jwt.MapClaims{"sub": nil}), CauseSubject},
		{"subject empty", "web", claims(jwt.MapClaims{"sub": ""}), CauseSubject},
		{"subject too long", "web", claims(jwt.MapClaims{"sub": strings.Repeat("u", 129)}), CauseSubject},
		{"subject longest", "web", claims(jwt.MapClaims{"sub": strings.Repeat("u", 128)}), ""},
		{"subject with a control character", "web", claims(jwt.MapClaims{"sub": "a\nb"}), CauseSubject},
		{"subject a number", "web", claims(jwt.MapClaims{"sub": 7}), CauseMalformed},
		{"token id too long", "web", claims(jwt.MapClaims{"jti": strings.Repeat("j", 129)}), CauseMalformed},

		{"docs a text", "web", claims(jwt.MapClaims{"docs": "d"}), CauseMalformed},
		{"docs of numbers", "web", claims(jwt.MapClaims{"docs": []int{1}}), CauseMalformed},
		{"docs null", "web", claims(jwt.MapClaims{"docs": nil}), ""},
		{"docs with an empty id", "web", claims(jwt.MapClaims{"docs": []string{"a", ""}}), CauseGrants},
		{"docs too long", "web", claims(jwt.MapClaims{"docs": []string{strings.Repeat("d", 129)}}), CauseGrants},
		{"docs with a control character", "web", claims(jwt.MapClaims{"docs": []string{"a\x00*"}}), CauseGrants},
		{"docs of 256", "web", claims(jwt.MapClaims{"docs": grantsOf(256)}), ""},
		{"docs of 257", "web", claims(jwt.MapClaims{"docs": grantsOf(257)}), CauseGrants},
	}
	for _, tt := range tests {
		who, err := v.Verify(t.Context(), tt.typ, tt.token)
		if CauseOf(err) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, CauseOf(err), tt.want)
		}
		if tt.want == "" {
			continue
		}
		if !reflect.DeepEqual(who, Identity{}) {
			t.Errorf("%s: %+v", tt.name, who)
		}
		if !errors.Is(err, ErrRefused) || err.Error() != ErrRefused.Error() {
			t.Errorf("%s: the outside sees %v", tt.name, err)
		}
	}

	// Of the spellings of the last character exactly one is right.
	n := 0
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		if _, err := v.Verify(t.Context(), "web", other(c)); err == nil {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d spellings of one token", n)
	}
}

func grantsOf(n int) (docs []string) {
	for i := range n {
		docs = append(docs, string(rune('a'+i%26)))
	}
	return docs
}

func TestHugeTokensAreNotLookedAt(t *testing.T) {
	cfg := oneType()
	cfg.MaxTokenBytes = 400
	v := verifier(t, cfg)
	token := func(size int) string {
		for n := 0; ; n++ {
			if s := hs256(t, with(good(), jwt.MapClaims{"x": strings.Repeat("x", n)})); len(s) >= size {
				return s
			}
		}
	}
	at := token(399)
	if len(at) > 400 {
		t.Fatal(len(at))
	}
	if _, err := v.Verify(t.Context(), "", at); err != nil {
		t.Error(CauseOf(err))
	}
	for _, tok := range []string{token(401), strings.Repeat("x", 40_000), strings.Repeat(".", 1<<20)} {
		if _, err := v.Verify(t.Context(), "", tok); CauseOf(err) != CauseTooLarge {
			t.Errorf("%d bytes: %q", len(tok), CauseOf(err))
		}
	}
	big := strings.Repeat("x", 1<<20)
	if n := testing.AllocsPerRun(10, func() { _, _ = v.Verify(context.Background(), "", big) }); n > 5 {
		t.Errorf("%v allocations for a token that is too large", n)
	}
}

func TestAnonymous(t *testing.T) {
	cfg := oneType()
	cfg.Anonymous, cfg.AnonymousDocs = true, []string{"public/*"}
	v := verifier(t, cfg)
	who, err := v.Verify(t.Context(), "", "")
	if err != nil || !who.Anonymous || who.User != "" || who.AuthType != "web" || !who.MayJoin("public/1") || who.MayJoin("private/1") || !who.ExpiresAt.IsZero() {
		t.Errorf("%+v %v", who, err)
	}
	if _, err := v.Verify(t.Context(), "", "wrong"); CauseOf(err) != CauseMalformed {
		t.Errorf("a wrong token counts as none: %v", err)
	}
	if _, err := v.Verify(t.Context(), "nosuch", ""); CauseOf(err) != CauseType {
		t.Errorf("a client chose its own type: %v", err)
	}
	if n := value(t, v.m.results.WithLabelValues("web", "anonymous")); n != 1 {
		t.Errorf("%v counted", n)
	}
	if n := value(t, v.m.results.WithLabelValues("unknown", "unknown_type")); n != 1 {
		t.Errorf("%v counted as unknown", n)
	}

	v = verifier(t, Config{Anonymous: true})
	if who, err := v.Verify(t.Context(), "", ""); err != nil || who.AuthType != "anonymous" || !who.Anonymous {
		t.Errorf("without any type: %+v %v", who, err)
	}
}

func TestWithoutTypesEverybodyIsRefused(t *testing.T) {
	v := verifier(t, DefaultConfig())
	for _, token := range []string{"", hs256(t, good())} {
		if _, err := v.Verify(t.Context(), "", token); CauseOf(err) != CauseType {
			t.Errorf("%v", CauseOf(err))
		}
	}
}

func TestLocaleAndVersionAreDroppedWhenTheyAreNot(t *testing.T) {
	v := verifier(t, oneType())
	for locale, want := range map[string]string{"de": "de", strings.Repeat("a", 35): strings.Repeat("a", 35), strings.Repeat("a", 36): "", "de\n": "", "ü": "", "a b": ""} {
		who, err := v.Verify(t.Context(), "", hs256(t, with(good(), jwt.MapClaims{"locale": locale})))
		if err != nil || who.Locale != want {
			t.Errorf("%q became %q: %v", locale, who.Locale, err)
		}
	}
	for version, want := range map[string]string{"1.2-β": "", "1 2": "", "v~!": "v~!", strings.Repeat("1", 64): strings.Repeat("1", 64), strings.Repeat("1", 65): "", "\x7f": ""} {
		who, err := v.Verify(t.Context(), "", hs256(t, with(good(), jwt.MapClaims{"client_version": version})))
		if err != nil || who.ClientVersion != want {
			t.Errorf("%q became %q: %v", version, who.ClientVersion, err)
		}
	}
}

func TestCauseOfOtherErrors(t *testing.T) {
	if c := CauseOf(errors.New("x")); c != "" {
		t.Error(c)
	}
	if c := CauseOf(nil); c != "" {
		t.Error(c)
	}
}
