package auth

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"sluice/pkg/id"
)

// FuzzToken feeds tokens to a type with a secret and to one with a JWK set.
// Whatever is believed must carry the right signature over exactly these bytes.
func FuzzToken(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	jwk := newPair(f, key, "k")
	shared, public := verifier(f, oneType()), fromSet(f, set(f, jwk.jwk))
	ok := hs256(f, with(good(), jwt.MapClaims{"docs": []string{"a", "b*"}, "aud": "x"}))
	ed := sign(f, jwt.SigningMethodEdDSA, key, kid("k"), good())
	none := sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good())
	for _, s := range []string{ok, ed, none, "", "..", "a.b.c", ok + ".x", strings.ToLower(ok), ok[:len(ok)-1], "Bearer " + ok} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if who, err := shared.Verify(t.Context(), "", token); err == nil {
			signed, mac := cutSignature(t, token)
			h := hmac.New(sha256.New, []byte(secret))
			h.Write([]byte(signed))
			if !hmac.Equal(mac, h.Sum(nil)) {
				t.Fatalf("%q is believed: %+v", token, who)
			}
		} else if CauseOf(err) == "" {
			t.Fatalf("no cause: %v", err)
		}
		if who, err := public.Verify(t.Context(), "", token); err == nil {
			signed, sig := cutSignature(t, token)
			if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte(signed), sig) {
				t.Fatalf("%q is believed: %+v", token, who)
			}
		}
	})
}

func cutSignature(t *testing.T, token string) (signed string, sig []byte) {
	i := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.Strict().DecodeString(token[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	return token[:i], sig
}

// FuzzClaims signs whatever header and claims it is given: an issuer gone mad. An
// identity that comes out keeps its promises.
func FuzzClaims(f *testing.F) {
	cfg := oneType()
	cfg.Types[0].AllowUnexpiring = true
	v := verifier(f, cfg)
	header := `{"alg":"HS256","typ":"JWT"}`
	for _, c := range []string{
		`{"sub":"u","exp":1767330000,"docs":["a","b*"],"locale":"de","client_version":"1","jti":"j","auth_type":"web"}`,
		`{"sub":"u","exp":1e300}`, `{"sub":"u","exp":-1e300}`, `{"sub":"u","exp":9.3e18}`, `{"sub":"u","exp":1e15,"nbf":-1e300}`, `{"sub":"u","nbf":1e300}`, `{"sub":"u","iat":1e300}`,
		`{"sub":"u","aud":["a",1]}`, `{"sub":"\ud800"}`, `{"SUB":"u"}`, `null`, `[]`, `{"sub":"u","docs":[null]}`, `{"sub":"u","exp":"1"}`,
	} {
		f.Add(header, c)
	}
	f.Add(`{"alg":"HS256","crit":["x"]}`, `{"sub":"u"}`)
	f.Add(`{"alg":"HS256","kid":{}}`, `{"sub":"u"}`)
	f.Fuzz(func(t *testing.T, header, c string) {
		e := base64.RawURLEncoding.EncodeToString
		signed := e([]byte(header)) + "." + e([]byte(c))
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(signed))
		who, err := v.Verify(t.Context(), "", signed+"."+e(h.Sum(nil)))
		if err != nil {
			return
		}
		if id.CheckUser(string(who.User)) != nil || who.AuthType != "web" || who.Anonymous || len(who.TokenID) > id.MaxName {
			t.Fatalf("%s gave %+v", c, who)
		}
		if !who.ExpiresAt.IsZero() && (!who.ExpiresAt.After(now) || who.ExpiresAt.After(endOfTime)) {
			t.Fatalf("%s expires at %v", c, who.ExpiresAt)
		}
		if _, ok := checkGrants(who.Docs, 256); !ok || !isLocale(who.Locale) || !isVersion(who.ClientVersion) {
			t.Fatalf("%s gave %+v", c, who)
		}
	})
}

// FuzzJWKSet reads JWK sets that a hostile or broken server may send.
func FuzzJWKSet(f *testing.F) {
	p := pairs()
	for _, k := range []pair{newPair(f, p.rsa, "r"), newPair(f, p.ec, "e"), newPair(f, p.ed, "d")} {
		f.Add(set(f, k.jwk))
	}
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AQ","e":"AQ"},{"kty":"OKP","crv":"Ed25519","x":""},{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQ","x5c":["AA"],"x5u":"http://a/","x5t":"x","oth":[{}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseKeys(raw, asymmetric)
		if err == nil && (len(keys) == 0 || len(keys) > maxKeys) {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys {
			// Verifying with what was taken must not panic.
			for _, m := range []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodES256, jwt.SigningMethodEdDSA} {
				if m.Verify("a.b", make([]byte, 64), k.Key()) == nil {
					t.Fatalf("%s verifies nothing", raw)
				}
			}
		}
	})
}
