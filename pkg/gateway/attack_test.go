package gateway

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/auth"
)

// attackKeys are what the real verifier of the attacks believes, and how its tokens
// are made.
type attackKeys struct {
	t      testing.TB
	secret []byte
	rsa    *rsa.PrivateKey
}

// believe gives the world the real verifier: type "web" with a secret, type
// "sdk" with a public key, both with issuer and audience.
func (w *world) believe() attackKeys {
	w.t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.t.Fatal(err)
	}
	k := attackKeys{t: w.t, secret: []byte("a secret of more than thirty-two bytes"), rsa: private}
	set := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k1","use":"sig","n":%q,"e":%q}]}`,
		base64.RawURLEncoding.EncodeToString(private.N.Bytes()),
		base64.RawURLEncoding.EncodeToString(big.NewInt(int64(private.E)).Bytes()))
	file := filepath.Join(w.t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cfg := auth.DefaultConfig()
	cfg.DefaultType = "web"
	cfg.Types = []auth.Type{
		{Name: "web", Secret: string(k.secret), Issuer: "https://id", Audience: []string{"sluice"}},
		{Name: "sdk", JWKSFile: file, Issuer: "https://id", Audience: []string{"sluice"}},
	}
	log := elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
	v, err := auth.New(cfg, log, auth.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verify = func(authType, token string) (auth.Identity, error) { return v.Verify(w.t.Context(), authType, token) }
	return k
}

// claims are good ones, but for what is changed; nil removes.
func (attackKeys) claims(change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "ann", "iss": "https://id", "aud": "sluice", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (k attackKeys) sign(method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	k.t.Helper()
	token := jwt.NewWithClaims(method, k.claims(change))
	token.Header["kid"] = "k1"
	s, err := token.SignedString(key)
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

func (k attackKeys) hs(change jwt.MapClaims) string {
	return k.sign(jwt.SigningMethodHS256, k.secret, change)
}

// headed is a good token with another header, unsigned or with the signature it had.
func (k attackKeys) headed(header string, signed bool) string {
	parts := strings.Split(k.hs(nil), ".")
	if !signed {
		parts[2] = ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "." + parts[2]
}

// attacks are tokens that nobody may believe, by auth type.
func (k attackKeys) attacks() map[string][2]string {
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)})
	return map[string][2]string{
		"alg none":                      {"web", k.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)},
		"alg None":                      {"web", k.headed(`{"alg":"None","typ":"JWT"}`, false)},
		"alg none, for keys":            {"sdk", k.headed(`{"alg":"none","kid":"k1"}`, false)},
		"no alg":                        {"web", k.headed(`{"typ":"JWT"}`, true)},
		"alg changed":                   {"web", k.headed(`{"alg":"HS512"}`, true)},
		"public key as secret":          {"sdk", k.sign(jwt.SigningMethodHS256, public, nil)},
		"modulus as secret":             {"sdk", k.sign(jwt.SigningMethodHS256, k.rsa.N.Bytes(), nil)},
		"the other type's secret":       {"sdk", k.hs(nil)},
		"the other type's key":          {"web", k.sign(jwt.SigningMethodRS256, k.rsa, nil)},
		"a key in the header":           {"web", k.headed(`{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"jku":"http://127.0.0.1/"}`, true)},
		"an extension":                  {"web", k.headed(`{"alg":"HS256","crit":["x"],"x":1}`, true)},
		"a type that is not there":      {"nosuch", k.hs(nil)},
		"another type than its own":     {"web", k.hs(jwt.MapClaims{"auth_type": "sdk"})},
		"another secret":                {"web", k.sign(jwt.SigningMethodHS256, []byte("guessed guessed guessed guessed!"), nil)},
		"no secret":                     {"web", k.sign(jwt.SigningMethodHS256, []byte{}, nil)},
		"expired":                       {"web", k.hs(jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix()})},
		"without an end":                {"web", k.hs(jwt.MapClaims{"exp": nil})},
		"an end in a million years":     {"web", k.hs(jwt.MapClaims{"exp": int64(1) << 45})},
		"not yet":                       {"web", k.hs(jwt.MapClaims{"nbf": time.Now().Add(time.Minute).Unix()})},
		"wrong issuer":                  {"web", k.hs(jwt.MapClaims{"iss": "https://evil"})},
		"no issuer":                     {"web", k.hs(jwt.MapClaims{"iss": nil})},
		"wrong audience":                {"web", k.hs(jwt.MapClaims{"aud": "other"})},
		"no audience":                   {"web", k.hs(jwt.MapClaims{"aud": nil})},
		"nobody":                        {"web", k.hs(jwt.MapClaims{"sub": nil})},
		"a user with a line break":      {"web", k.hs(jwt.MapClaims{"sub": "a\nb"})},
		"not a token":                   {"web", "x"},
		"dots":                          {"web", strings.Repeat(".", 8000)},
		"huge":                          {"web", k.hs(jwt.MapClaims{"x": strings.Repeat("x", 8192)})},
		"a hundred times huge":          {"web", strings.Repeat("x", 800_000)},
		"deep":                          {"web", k.headed(strings.Repeat(`{"alg":`, 500), true)},
		"a good one with a tail":        {"web", k.hs(nil) + "."},
		"a good one with a space":       {"web", k.hs(nil) + " "},
		"claims of somebody else's":     {"web", spliced(k.hs(nil), k.hs(jwt.MapClaims{"sub": "root"}))},
		"none at all, nobody's welcome": {"web", ""},
	}
}

// spliced has the claims of b under the signature of a.
func spliced(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return x[0] + "." + y[1] + "." + x[2]
}

func TestForgedTokensAreAllRefusedAlike(t *testing.T) {
	const refused = `{"message":"Not authorized","data":{"code":"unauthorized","retry":"new_token"}}`
	w := newWorld(t, nil)
	k := w.believe()
	good := w.dial(fmt.Sprintf(`{"token":%q}`, k.hs(jwt.MapClaims{"jti": "its own"})))
	w.dial(fmt.Sprintf(`{"token":%q,"authType":"sdk"}`, k.sign(jwt.SigningMethodRS256, k.rsa, nil)))
	n := 0
	for name, attack := range k.attacks() {
		authType, token := attack[0], attack[1]
		payload, err := json.Marshal(map[string]string{"token": token, "authType": authType})
		if err != nil {
			t.Fatal(err)
		}
		p := w.open()
		p.send("40" + string(payload))
		if got := p.next(); got != "44"+refused {
			t.Errorf("%s: %.200s", name, got)
		}
		if len(token) > 1000 {
			continue // an URL has no room for it
		}
		query := "&authType=" + authType + "&token=" + strings.ReplaceAll(token, " ", "%20")
		p = w.openWith(query)
		p.send("40")
		if got := p.next(); got != "44"+refused {
			t.Errorf("%s, in the query: %.200s", name, got)
		}
		if token == "" {
			continue
		}
		// On a connection that is there: neither a new identity, nor a request of it.
		n++
		shown, err := json.Marshal(map[string]string{"token": token})
		if err != nil {
			t.Fatal(err)
		}
		if authType == "web" {
			good.send(fmt.Sprintf(`42%d["sluice:auth",%s]`, n, shown))
			good.expect(fmt.Sprintf(`43%d[{"ok":false,"code":"unauthorized","retry":"new_token"}]`, n))
		}
		if status, _ := good.request("POST", query, "", `42["forged"]`, false); status != 403 {
			t.Errorf("%s, in a request: %d", name, status)
		}
	}
	if w.gateway.Sockets() != 2 {
		t.Errorf("%d sockets are connected", w.gateway.Sockets())
	}
	if got := fmt.Sprint(w.events()); strings.Contains(got, "forged") {
		t.Errorf("components hear %s", got)
	}
}
