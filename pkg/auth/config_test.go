package auth

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	c := Config{
		AnonymousDocs: []string{""}, DefaultType: "nosuch", MaxTokenBytes: 65537, MaxGrants: -1,
		Types: []Type{
			{Name: "Web", Secret: "short", Algorithms: []string{"RS256"}, Leeway: -1},
			{Name: "sdk"},
			{Name: "sdk", Secret: secret, JWKSURL: "http://example.com/k", JWKSRefresh: time.Second, JWKSTimeout: time.Hour, JWKSEvery: -1, Audience: []string{""}},
			{Name: "x", JWKSFile: "f", Algorithms: []string{"HS256"}, JWKSHosts: []string{"a"}, Leeway: time.Hour},
			{Name: "y", JWKSURL: "https://a/k", JWKSHosts: []string{"b"}},
		},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	var keys []string
	for _, line := range strings.Split(err.Error(), "\n") {
		key, _, ok := strings.Cut(line, ": ")
		if !ok {
			t.Errorf("%q does not start with a key", line)
		}
		keys = append(keys, key)
	}
	got := strings.Join(keys, "\n")
	want := `max_token_bytes
max_grants
anonymous_docs
anonymous_docs
type[0].name
type[0].secret
type[0].algorithms
type[0].leeway
type[1].secret
type[2].name
type[2].secret
type[2].algorithms
type[2].jwks_url
type[2].jwks_refresh
type[2].jwks_timeout
type[2].jwks_every
type[2].audience
type[3].algorithms
type[3].jwks_hosts
type[3].leeway
type[4].jwks_url
default_type`
	want = strings.Replace(want, "type[2].algorithms\n", "", 1)
	if got != want {
		t.Errorf("%s\n\nwant\n%s\n\n%v", got, want, err)
	}
}

func TestValidConfigs(t *testing.T) {
	for name, c := range map[string]Config{
		"default":   DefaultConfig(),
		"zero":      {},
		"secret":    oneType(),
		"anonymous": {Anonymous: true, AnonymousDocs: []string{"a*"}},
		"loopback": {Types: []Type{
			{Name: "a", JWKSURL: "http://127.0.0.1:1/k"}, {Name: "b", JWKSURL: "http://[::1]:1/k"}, {Name: "c", JWKSURL: "http://localhost/k"},
		}},
		"hosts": {Types: []Type{{Name: "a", JWKSURL: "https://ID.example/k", JWKSHosts: []string{"id.example"}, Algorithms: []string{"ES256"}}}},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestURLsOfKeySets(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://a.example/k": true, "http://a.example/k": false, "ftp://a.example/k": false, "file:///etc/passwd": false, "/k": false, "": false, "http://localhost.evil/k": false, "https://": false, "https://u:p@a.example/k": true,
	} {
		if err := checkURL(raw, nil); (err == nil) != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := checkURL("https://user:password@%zz/", nil); err == nil || strings.Contains(err.Error(), "password") {
		t.Errorf("%v", err)
	}
}

// New reports what is wrong with files together with what is wrong with the rest.
func TestNewReportsFilesToo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	cfg := Config{MaxGrants: -1, Types: []Type{
		{Name: "a", SecretFile: missing},
		{Name: "b", SecretFile: file(t, []byte("short\n"))},
		{Name: "c", JWKSFile: missing},
		{Name: "d", JWKSFile: file(t, []byte("{"))},
		{Name: "e", JWKSFile: file(t, []byte(`{"keys":[]}`))},
	}}
	_, err := New(cfg, quiet(), NewMetrics(prometheus.NewRegistry()))
	for _, key := range []string{"max_grants: ", "type[0].secret_file: ", "type[1].secret_file: ", "type[2].jwks_file: ", "type[3].jwks_file: ", "type[4].jwks_file: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is missing in\n%v", key, err)
		}
	}
}

func TestSecretFile(t *testing.T) {
	for name, content := range map[string]string{"plain": secret, "line break": secret + "\n", "windows": secret + "\r\n"} {
		cfg := Config{Types: []Type{{Name: "web", SecretFile: file(t, []byte(content))}}}
		if _, err := verifier(t, cfg).Verify(t.Context(), "", hs256(t, good())); err != nil {
			t.Errorf("%s: %v", name, CauseOf(err))
		}
	}
}

func TestTheConfigIsNotShared(t *testing.T) {
	cfg := oneType()
	v := verifier(t, cfg)
	if cfg.Types[0].Algorithms != nil {
		t.Error("New changed the caller's config")
	}
	cfg.Types[0].Name = "other"
	if _, err := v.Verify(t.Context(), "web", hs256(t, good())); err != nil {
		t.Error(CauseOf(err))
	}
}
