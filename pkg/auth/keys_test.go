package auth

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// fromSet is a verifier of one type whose keys are in a file.
func fromSet(t testing.TB, raw []byte, algorithms ...string) *Verifier {
	t.Helper()
	return verifier(t, Config{Types: []Type{{Name: "web", JWKSFile: file(t, raw), Algorithms: algorithms}}})
}

func kid(s string) map[string]any { return map[string]any{"kid": s} }

func TestVerifyWithAJWKSet(t *testing.T) {
	p := pairs()
	r, r2, e, d := newPair(t, p.rsa, "r"), newPair(t, p.rsa2, "r2"), newPair(t, p.ec, "e"), newPair(t, p.ed, "d")
	v := fromSet(t, set(t, r.jwk, e.jwk, d.jwk))
	onlyRSA := fromSet(t, set(t, r.jwk, e.jwk, d.jwk), "RS256")
	rs, es, ed := jwt.SigningMethodRS256, jwt.SigningMethodES256, jwt.SigningMethodEdDSA

	public, err := x509.MarshalPKIXPublicKey(p.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	publicJWK, err := json.Marshal(r.jwk)
	if err != nil {
		t.Fatal(err)
	}
	modulus := []byte(r.jwk["n"].(string))

	for _, tt := range []struct {
		name  string
		v     *Verifier
		token string
		want  Cause
	}{
		{"RS256", v, sign(t, rs, r.private, kid("r"), good()), ""},
		{"ES256", v, sign(t, es, e.private, kid("e"), good()), ""},
		{"EdDSA", v, sign(t, ed, d.private, kid("d"), good()), ""},
		{"RS256 without a key id", v, sign(t, rs, r.private, nil, good()), ""},
		{"ES256 without a key id", v, sign(t, es, e.private, nil, good()), ""},
		{"EdDSA without a key id", v, sign(t, ed, d.private, nil, good()), ""},
		{"another key without a key id", v, sign(t, rs, r2.private, nil, good()), CauseSignature},
		{"another key under a known id", v, sign(t, rs, r2.private, kid("r"), good()), CauseSignature},
		{"unknown key id", v, sign(t, rs, r.private, kid("r2"), good()), CauseUnknownKey},
		{"key id of another kind of key", v, sign(t, rs, r.private, kid("e"), good()), CauseSignature},
		{"RS512", v, sign(t, jwt.SigningMethodRS512, r.private, kid("r"), good()), CauseAlgorithm},
		{"PS256", v, sign(t, jwt.SigningMethodPS256, r.private, kid("r"), good()), CauseAlgorithm},
		{"ES256 where only RS256 is allowed", onlyRSA, sign(t, es, e.private, kid("e"), good()), CauseAlgorithm},
		{"RS256 where only RS256 is allowed", onlyRSA, sign(t, rs, r.private, kid("r"), good()), ""},
		{"public key in PEM as a secret", v, sign(t, jwt.SigningMethodHS256, publicPEM, kid("r"), good()), CauseAlgorithm},
		{"public key in DER as a secret", v, sign(t, jwt.SigningMethodHS256, public, kid("r"), good()), CauseAlgorithm},
		{"public JWK as a secret", v, sign(t, jwt.SigningMethodHS256, publicJWK, kid("r"), good()), CauseAlgorithm},
		{"modulus as a secret", v, sign(t, jwt.SigningMethodHS256, modulus, nil, good()), CauseAlgorithm},
		{"none", v, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("r"), good()), CauseAlgorithm},
		{"key in the header", v, sign(t, es, p.ec, map[string]any{"jwk": e.jwk, "kid": "x"}, good()), CauseUnknownKey},
		{"key id a path", v, sign(t, rs, r.private, kid("../../etc/passwd"), good()), CauseUnknownKey},
		{"expired", v, sign(t, rs, r.private, kid("r"), with(good(), jwt.MapClaims{"exp": 1})), CauseExpired},
	} {
		_, err := tt.v.Verify(t.Context(), "", tt.token)
		if CauseOf(err) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, CauseOf(err), tt.want)
		}
	}
}

func TestKeysThatAreNotUsed(t *testing.T) {
	p := pairs()
	r, e := newPair(t, p.rsa, "k").jwk, newPair(t, p.ec, "k").jwk
	change := func(k map[string]any, kv ...any) map[string]any {
		k = maps.Clone(k)
		for i := 0; i < len(kv); i += 2 {
			k[kv[i].(string)] = kv[i+1]
		}
		return k
	}
	for name, tt := range map[string]struct {
		key  map[string]any
		want bool
	}{
		"RSA":                           {r, true},
		"RSA for signatures":            {change(r, "use", "sig", "alg", "RS256"), true},
		"RSA to verify":                 {change(r, "key_ops", []string{"verify"}), true},
		"RSA for encryption":            {change(r, "use", "enc"), false},
		"RSA to sign":                   {change(r, "key_ops", []string{"sign"}), false},
		"RSA for another algorithm":     {change(r, "alg", "RS512"), false},
		"RSA for an algorithm of EC":    {change(r, "alg", "ES256"), false},
		"RSA of 1024 bits":              {newPair(t, p.small, "k").jwk, false},
		"RSA of 16384 bits":             {change(r, "n", "w"+strings.Repeat("A", 2729)+"E"), false},
		"RSA with exponent 1":           {change(r, "e", "AQ"), false},
		"RSA with an even exponent":     {change(r, "e", "AQAA"), false},
		"RSA with a huge exponent":      {change(r, "e", "__________8"), false},
		"RSA without modulus":           {change(r, "n", ""), false},
		"EC":                            {e, true},
		"EC of 384 bits":                {newPair(t, p.p384, "k").jwk, false},
		"EC that is not on the curve":   {change(e, "y", e["x"]), false},
		"EC with a coordinate too long": {change(e, "x", strings.Repeat("0", 44)), false},
		"Ed25519":                       {newPair(t, p.ed, "k").jwk, true},
		"secret":                        {map[string]any{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "kid": "k"}, false},
		"secret for RS256":              {map[string]any{"kty": "oct", "alg": "RS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}, false},
		"unknown type":                  {map[string]any{"kty": "new"}, false},
		"type a number":                 {map[string]any{"kty": 1}, false},
		"certificate elsewhere":         {change(r, "x5u", "http://127.0.0.1:1/never"), false},
	} {
		// Beside a good key, what is not usable is ignored.
		other := newPair(t, p.rsa2, "other").jwk
		keys, err := parseKeys(set(t, tt.key, other), asymmetric)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := len(keys) == 2; got != tt.want {
			t.Errorf("%s: used %v", name, got)
		}
		if _, err := parseKeys(set(t, tt.key), asymmetric); (err == nil) != tt.want {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

func TestJWKSetsAreBounded(t *testing.T) {
	k := newPair(t, pairs().ed, "k").jwk
	many := func(n int) []byte {
		keys := make([]map[string]any, n)
		for i := range keys {
			keys[i] = k
		}
		return set(t, keys...)
	}
	for n, want := range map[int]bool{1: true, maxKeys: true, maxKeys + 1: false, 100 * maxKeys: false} {
		if _, err := parseKeys(many(n), asymmetric); (err == nil) != want {
			t.Errorf("%d keys: %v", n, err)
		}
	}
	padded := func(n int) []byte {
		b := many(1)
		return append(b, strings.Repeat(" ", n-len(b))...)
	}
	for n, want := range map[int]bool{maxSetBytes: true, maxSetBytes + 1: false, 100 * maxSetBytes: false} {
		if _, err := parseKeys(padded(n), asymmetric); (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, raw := range []string{"", "{", "[]", `{"keys":1}`, `{"keys":[1]}`, "null", `{"keys":null}`, "<html>secret"} {
		if _, err := parseKeys([]byte(raw), asymmetric); err == nil || strings.Contains(err.Error(), "html") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// A set may hold private keys by mistake; only their public halves are kept.
func TestPrivateKeysAreNotKept(t *testing.T) {
	k := newPair(t, pairs().ed, "k").jwk
	k["d"] = k["x"]
	keys, err := parseKeys(set(t, k), asymmetric)
	if err != nil || len(keys) != 1 || keys[0].Marshal().D != "" {
		t.Errorf("%+v %v", keys, err)
	}
}
