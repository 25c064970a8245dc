package auth

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func BenchmarkVerify(b *testing.B) {
	p := pairs()
	r, e, d := newPair(b, p.rsa, "r"), newPair(b, p.ec, "e"), newPair(b, p.ed, "d")
	v := fromSet(b, set(b, r.jwk, e.jwk, d.jwk))
	again := fromSet(b, set(b, r.jwk, e.jwk, d.jwk))
	again.verified = newAnswers(10)
	c := with(good(), jwt.MapClaims{"docs": []string{"d-1", "team/*"}})
	for _, bb := range []struct {
		name, token string
		v           *Verifier
	}{
		{"HS256", hs256(b, c), verifier(b, oneType())},
		{"RS256", sign(b, jwt.SigningMethodRS256, r.private, kid("r"), c), v},
		{"ES256", sign(b, jwt.SigningMethodES256, e.private, kid("e"), c), v},
		{"EdDSA", sign(b, jwt.SigningMethodEdDSA, d.private, kid("d"), c), v},
		{"again", sign(b, jwt.SigningMethodES256, e.private, kid("e"), c), again},
		{"garbage", "x.y.z", v},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bb.v.Verify(b.Context(), "", bb.token); (err != nil) != (bb.name == "garbage") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMayJoin(b *testing.B) {
	i := Identity{Docs: append(grantsOf(63), "team/*")}
	b.ReportAllocs()
	for b.Loop() {
		if !i.MayJoin("team/7") {
			b.Fatal()
		}
	}
}
