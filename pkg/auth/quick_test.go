package auth

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// both returns a verifier that has seen a token, and one that leaves all to the
// library.
func both(t testing.TB, change ...func(*Type)) (quick, library *Verifier) {
	t.Helper()
	cfg := oneType()
	for _, f := range change {
		f(&cfg.Types[0])
	}
	quick, library = verifier(t, cfg), verifier(t, cfg)
	library.types["web"].quick = nil
	if _, err := quick.Verify(t.Context(), "", hs256(t, with(good(), jwt.MapClaims{"iss": "i", "aud": "a"}))); err != nil {
		t.Fatal(err)
	}
	return quick, library
}

// quickly asks without the library.
func (v *Verifier) quickly(token string) (Identity, bool) {
	return v.types["web"].quick.verify("web", token, v.cfg.MaxGrants)
}

var everything = jwt.MapClaims{
	"docs": []string{"d", "team/*"}, "iat": now.Unix() - 5, "nbf": now.Unix() - 5, "jti": "j", "iss": "i", "aud": []string{"x", "a"},
	"auth_type": "web", "locale": "de", "client_version": "1.2", "name": "Ann", "admin": true, "age": 7, "no": nil,
}

func TestUsualTokensNeedNoLibraryAndMeanTheSame(t *testing.T) {
	strict := func(c *Type) { c.Issuer, c.Audience = "i", []string{"a"} }
	for name, more := range map[string]jwt.MapClaims{"all": everything, "little": {"iss": "i", "aud": "a"}, "no documents": {"iss": "i", "aud": "a", "docs": []string{}}} {
		v, library := both(t, strict)
		token := hs256(t, with(good(), more))
		who, ok := v.quickly(token)
		want, err := library.Verify(t.Context(), "", token)
		if !ok || err != nil || !reflect.DeepEqual(who, want) {
			t.Errorf("%s: %+v %v, want %+v %v", name, who, ok, want, err)
		}
	}
}

// Whatever is wrong or unusual is the library's to judge, also when the header is
// known.
func TestTheLibraryJudgesAllOtherTokens(t *testing.T) {
	v, library := both(t, func(c *Type) { c.Issuer, c.Audience = "i", []string{"a"} })
	base := with(good(), jwt.MapClaims{"iss": "i", "aud": "a"})
	right := hs256(t, base)
	header, rest, _ := strings.Cut(right, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	other := sign(t, jwt.SigningMethodHS256, []byte(strings.ToUpper(secret)), nil, base)
	claims := func(c jwt.MapClaims) string { return hs256(t, with(base, c)) }
	raw, _ := base64.RawURLEncoding.DecodeString(signature)
	for name, token := range map[string]string{
		"another secret": other, "another payload": header + "." + payload[:len(payload)-2] + "AA." + signature,
		"another signature": header + "." + payload + "." + strings.Repeat("A", len(signature)),
		"a short signature": header + "." + payload + "." + base64.RawURLEncoding.EncodeToString(raw[:31]),
		"no signature":      header + "." + payload + ".", "no payload": header, "four parts": right + ".x", "a line break": right + "\n",
		"a loose end": right[:len(right)-1] + string(right[len(right)-1]+1),
		"ended":       claims(jwt.MapClaims{"exp": now.Unix()}), "endless": claims(jwt.MapClaims{"exp": nil}), "not yet": claims(jwt.MapClaims{"nbf": now.Unix() + 60}),
		"another issuer": claims(jwt.MapClaims{"iss": "x"}), "no issuer": claims(jwt.MapClaims{"iss": nil}), "another audience": claims(jwt.MapClaims{"aud": []string{"x", "y"}}),
		"no audience": claims(jwt.MapClaims{"aud": []string{}}), "nobody": claims(jwt.MapClaims{"sub": nil}), "another type": claims(jwt.MapClaims{"auth_type": "x"}),
		"other grants": claims(jwt.MapClaims{"docs": []string{""}}), "a bad id": claims(jwt.MapClaims{"jti": strings.Repeat("j", 1000)}),
		"fractions": claims(jwt.MapClaims{"exp": float64(now.Unix()) + 60.5}), "not ASCII": claims(jwt.MapClaims{"sub": "Änne"}),
		"more in it": claims(jwt.MapClaims{"realm": map[string]any{"roles": []string{"x"}}}), "another case": claims(jwt.MapClaims{"SUB": "u-2"}),
		"extensions": sign(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"crit": []string{"x"}}, base),
		"none":       sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, base), "HS512": sign(t, jwt.SigningMethodHS512, []byte(secret), nil, base),
		"large": claims(jwt.MapClaims{"x": strings.Repeat("x", maxQuick)}),
	} {
		if who, ok := v.quickly(token); ok {
			t.Errorf("%s: believed without the library: %+v", name, who)
		}
		who, err := v.Verify(t.Context(), "", token)
		want, wantErr := library.Verify(t.Context(), "", token)
		if CauseOf(err) != CauseOf(wantErr) || !reflect.DeepEqual(who, want) {
			t.Errorf("%s: %+v %v, the library says %+v %v", name, who, CauseOf(err), want, CauseOf(wantErr))
		}
	}
	if _, ok := v.quickly(right); !ok {
		t.Error("what was refused has changed what is right")
	}
}

func TestHeadersAreLearnedUpToABound(t *testing.T) {
	v, _ := both(t)
	named := func(n int) string {
		return sign(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"kid": fmt.Sprint(n)}, good())
	}
	for n := range 100 * maxHeaders {
		for range 2 {
			if _, err := v.Verify(t.Context(), "", named(n)); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := v.quickly(named(n)); ok != (n < maxHeaders-1) { // the first one was seen before
			t.Fatalf("header %d: known is %v", n, ok)
		}
	}
	if _, ok := v.quickly(sign(t, jwt.SigningMethodHS256, []byte(strings.ToUpper(secret)), map[string]any{"kid": "x"}, good())); ok {
		t.Error("a header is known that was never right")
	}
}

func TestADeskKeepsNothingOfTheTokenBefore(t *testing.T) {
	v, _ := both(t)
	if _, ok := v.quickly(hs256(t, with(good(), everything))); !ok {
		t.Fatal("the token is not plain")
	}
	who, ok := v.quickly(hs256(t, good()))
	if want := (Identity{User: "u-1", AuthType: "web", ExpiresAt: time.Unix(now.Unix()+3600, 0)}); !ok || !reflect.DeepEqual(who, want) {
		t.Errorf("%+v %v, want %+v", who, ok, want)
	}
}
