package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // elog starts goroutines when it is imported
}

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithZapCore(zapcore.NewNopCore()))
}

const secret = "0123456789abcdef0123456789abcdef"

// now is when the tests take place.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func verifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := newVerifier(cfg, quiet(), NewMetrics(prometheus.NewRegistry()), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// oneType is a config with a single type that verifies with the secret.
func oneType() Config {
	cfg := DefaultConfig()
	cfg.Types = []Type{{Name: "web", Secret: secret}}
	return cfg
}

// good are claims that need nothing else.
func good() jwt.MapClaims {
	return jwt.MapClaims{"sub": "u-1", "exp": now.Add(time.Hour).Unix()}
}

// with gives the claims with some replaced, and those that are nil removed.
func with(c jwt.MapClaims, other jwt.MapClaims) jwt.MapClaims {
	c = maps.Clone(c)
	for k, v := range other {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hs256(t testing.TB, c jwt.Claims) string {
	return sign(t, jwt.SigningMethodHS256, []byte(secret), nil, c)
}

// pair is a private key with its public half as a JWK.
type pair struct {
	private crypto.Signer
	jwk     map[string]any
}

func newPair(t testing.TB, private crypto.Signer, kid string) pair {
	t.Helper()
	k, err := jwkset.NewJWKFromKey(private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(k.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	p := pair{private: private}
	if err := json.Unmarshal(b, &p.jwk); err != nil {
		t.Fatal(err)
	}
	return p
}

// pairs are made once: RSA keys take a while.
var pairs = sync.OnceValue(func() (p struct{ rsa, rsa2, ec, ed, small, p384 crypto.Signer }) {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	r := func(bits int) crypto.Signer { k, err := rsa.GenerateKey(rand.Reader, bits); return must(k, err) }
	e := func(c elliptic.Curve) crypto.Signer { k, err := ecdsa.GenerateKey(c, rand.Reader); return must(k, err) }
	p.rsa, p.rsa2, p.small = r(2048), r(2048), r(1024)
	p.ec, p.p384 = e(elliptic.P256()), e(elliptic.P384())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	p.ed = must(ed, err)
	return p
})

// set marshals a JWK set.
func set(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// value reads a counter or gauge.
func value(t testing.TB, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}
