package auth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/pkg/id"
)

// Config says which tokens are believed.
type Config struct {
	// Anonymous admits clients that show no token, as nobody. Default false.
	// Turn it on for public documents, and name those in AnonymousDocs.
	Anonymous bool `toml:"anonymous"`

	// AnonymousDocs is what anonymous clients may join, in the form of the
	// docs claim: exact ids, or prefixes with * behind. Default none.
	AnonymousDocs []string `toml:"anonymous_docs"`

	// DefaultType is the auth type of clients that name none. Default "": the
	// only type if there is one, otherwise such clients are refused.
	DefaultType string `toml:"default_type"`

	// MaxTokenBytes is the largest token that is looked at. Default 8192, at
	// most 65536; 0 is the default. Raise it for tokens with many grants.
	MaxTokenBytes int `toml:"max_token_bytes"`

	// MaxGrants is how many entries a docs claim may have. Default 256, at most
	// 10000; 0 is the default. Each connection keeps its grants in memory.
	MaxGrants int `toml:"max_grants"`

	// ExpiryWarning is how long before its identity ends a client is told so, to
	// show a new token in time. Default 60s, at most 1h; 0 tells nobody.
	ExpiryWarning time.Duration `toml:"expiry_warning"`

	// ExpiryJitter spreads the closing of connections whose identity has ended:
	// each is closed at its end and up to this much later, so that thousands of
	// tokens of one minute do not come back at once. Default 5s, at most 5m; 0
	// closes all in time.
	ExpiryJitter time.Duration `toml:"expiry_jitter"`

	// RenewEvery is the least time between two new tokens that a client shows on
	// one connection; sooner it is told to come back later. Default 1s, at most
	// 1h; 0 takes any number.
	RenewEvery time.Duration `toml:"renew_every"`

	// RevocationUnknown is what becomes of a token when Redis can not tell
	// whether it was revoked: "admit" or "refuse", to come back later. Default
	// "admit": an outage of Redis then keeps nobody out, and lets those back in
	// whose revocation no gateway remembers.
	RevocationUnknown string `toml:"revocation_unknown"`

	// RevocationMemory is how many revocations a gateway keeps in its own
	// memory, about 200 bytes each. Default 10000, at most 1000000. Beyond it
	// those that end first are left to Redis.
	RevocationMemory int `toml:"revocation_memory"`

	// VerifiedTokens is how many tokens with RS256, ES256 or EdDSA are remembered
	// as verified, about 400 bytes each, so that clients that come back cost no
	// signature. Each is forgotten when it expires, and all of a type when its JWK
	// set changes. Default 50000, at most 1000000; 0 remembers none. Raise it to
	// the number of sockets of a gateway.
	VerifiedTokens int `toml:"verified_tokens"`

	// Types are the kinds of clients.
	Types []Type `toml:"type"`
}

// Type is one kind of client and what its tokens must be. Exactly one source of
// keys is given, Secret, SecretFile, JWKSFile or JWKSURL, or a Callback.
type Type struct {
	// Name is what clients call the type, and a metric label: lower-case
	// letters, digits, - and _, at most 32. Required.
	Name string `toml:"name"`

	// Algorithms that signatures may have, of HS256 for secrets and RS256,
	// ES256 and EdDSA for JWK sets. Default: all that suit the source of keys.
	// Name the one that is used, to refuse the others.
	Algorithms []string `toml:"algorithms"`

	// Secret signs tokens with HS256, at least 32 bytes, taken as it is
	// written. Prefer SecretFile, which keeps it out of the configuration.
	Secret string `toml:"secret"`

	// SecretFile is the path of a file with the secret. One line break at its
	// end is not part of it.
	SecretFile string `toml:"secret_file"`

	// JWKSFile is the path of a JWK set with public keys. It is read again
	// every JWKSRefresh.
	JWKSFile string `toml:"jwks_file"`

	// JWKSURL is where the JWK set is fetched: https, or http on loopback.
	// Known keys stay in use when it does not answer.
	JWKSURL string `toml:"jwks_url"`

	// JWKSHosts are the hosts, without port, that the set may come from,
	// redirections included. Default: the host of JWKSURL only.
	JWKSHosts []string `toml:"jwks_hosts"`

	// JWKSRefresh is the time between two looks at the set, in which a new key
	// must have been published before it is used, and a withdrawn one stops to
	// be believed. Default 10m, at least 10s; 0 is the default.
	JWKSRefresh time.Duration `toml:"jwks_refresh"`

	// JWKSTimeout bounds one fetch, and how long a token with an unknown key id
	// waits for the fetch that it caused. Default 5s, at most 1m; 0 is the
	// default.
	JWKSTimeout time.Duration `toml:"jwks_timeout"`

	// JWKSEvery is the least time between two fetches caused by unknown key
	// ids, which anybody can invent. Default 30s; 0 is the default.
	JWKSEvery time.Duration `toml:"jwks_every"`

	// Issuer that the iss claim must name. Default "": any.
	Issuer string `toml:"issuer"`

	// Audience of which the aud claim must name one. Default none: any. Set it
	// when the same keys sign tokens for other services.
	Audience []string `toml:"audience"`

	// Leeway is how far clocks may be apart when times are checked. Default 0,
	// none; at most 5m.
	Leeway time.Duration `toml:"leeway"`

	// AllowUnexpiring takes tokens without exp, which can only be withdrawn by
	// changing keys. Default false.
	AllowUnexpiring bool `toml:"allow_unexpiring"`

	// Callback is a component that is asked about tokens instead of keys.
	Callback CallbackConfig `toml:"callback"`
}

// DefaultConfig is a config without types: everybody is refused.
func DefaultConfig() Config {
	return Config{
		MaxTokenBytes: 8192, MaxGrants: 256, ExpiryWarning: time.Minute, ExpiryJitter: 5 * time.Second, RenewEvery: time.Second,
		RevocationUnknown: admitUnknown, RevocationMemory: 10_000, VerifiedTokens: 50_000,
	}
}

// filled replaces what is unset by its default.
func (c Config) filled() Config {
	d := DefaultConfig()
	if c.MaxTokenBytes == 0 {
		c.MaxTokenBytes = d.MaxTokenBytes
	}
	if c.MaxGrants == 0 {
		c.MaxGrants = d.MaxGrants
	}
	if c.DefaultType == "" && len(c.Types) == 1 {
		c.DefaultType = c.Types[0].Name
	}
	c.Types = slices.Clone(c.Types)
	for i := range c.Types {
		c.Types[i] = c.Types[i].filled()
	}
	return c
}

func (t Type) filled() Type {
	if t.Callback.Address != "" {
		t.Callback = t.Callback.filled()
		return t
	}
	if len(t.Algorithms) == 0 {
		t.Algorithms = asymmetric
		if t.shared() {
			t.Algorithms = symmetric
		}
	}
	if t.JWKSRefresh == 0 {
		t.JWKSRefresh = 10 * time.Minute
	}
	if t.JWKSTimeout == 0 {
		t.JWKSTimeout = 5 * time.Second
	}
	if t.JWKSEvery == 0 {
		t.JWKSEvery = 30 * time.Second
	}
	return t
}

var (
	symmetric  = []string{"HS256"}
	asymmetric = []string{"RS256", "ES256", "EdDSA"}
)

// minSecret is the length of HS256's hash; shorter secrets can be guessed.
const minSecret = 32

// shared tells whether the type verifies with a secret.
func (t *Type) shared() bool { return t.Secret != "" || t.SecretFile != "" }

// Validate reports all that is wrong, without reading files.
func (c *Config) Validate() error {
	var p problems
	p.between("max_token_bytes", c.MaxTokenBytes, 0, 65536)
	p.between("max_grants", c.MaxGrants, 0, 10_000)
	p.between("verified_tokens", c.VerifiedTokens, 0, 1_000_000)
	if len(c.AnonymousDocs) > 0 && !c.Anonymous {
		p.add("anonymous_docs", "must be empty unless anonymous is set")
	}
	if _, ok := checkGrants(c.AnonymousDocs, c.filled().MaxGrants); !ok {
		p.add("anonymous_docs", "must be document ids of 1 to %d bytes, or prefixes with * behind", id.MaxName)
	}
	c.policy(&p)
	names := map[string]bool{}
	for i := range c.Types {
		t := &c.Types[i]
		key := fmt.Sprintf("type[%d].", i)
		if names[t.Name] {
			p.add(key+"name", "must not be used twice, %q is", t.Name)
		}
		names[t.Name] = true
		t.validate(&p, key)
	}
	if c.DefaultType != "" && !names[c.DefaultType] {
		p.add("default_type", "must be the name of a type")
	}
	return errors.Join(p...)
}

func (t *Type) validate(p *problems, key string) {
	if !typeName(t.Name) {
		p.add(key+"name", "must be 1 to 32 lower-case letters, digits, - and _")
	}
	given := 0
	for _, s := range []string{t.Secret, t.SecretFile, t.JWKSFile, t.JWKSURL, t.Callback.Address} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		p.add(key+"secret", "exactly one of secret, secret_file, jwks_file, jwks_url and callback.address must be given, not %d", given)
	}
	if t.Callback.Address != "" {
		t.onlyCallback(p, key)
	}
	t.Callback.validate(p, key+"callback.")
	if t.Secret != "" && len(t.Secret) < minSecret {
		p.add(key+"secret", "must have at least %d bytes, has %d", minSecret, len(t.Secret))
	}
	suited := asymmetric
	if t.shared() {
		suited = symmetric
	}
	for _, a := range t.Algorithms {
		if !slices.Contains(suited, a) {
			p.add(key+"algorithms", "must be of %s with this source of keys, not %q", strings.Join(suited, ", "), a)
		}
	}
	if t.JWKSURL != "" {
		if err := checkURL(t.JWKSURL, t.JWKSHosts); err != nil {
			p.add(key+"jwks_url", "%v", err)
		}
	}
	if len(t.JWKSHosts) > 0 && t.JWKSURL == "" {
		p.add(key+"jwks_hosts", "must be empty without jwks_url")
	}
	if t.JWKSRefresh != 0 && t.JWKSRefresh < 10*time.Second {
		p.add(key+"jwks_refresh", "must be at least 10s, or 0 for the default")
	}
	if t.JWKSTimeout < 0 || t.JWKSTimeout > time.Minute {
		p.add(key+"jwks_timeout", "must be between 0 (the default) and 1m")
	}
	if t.JWKSEvery < 0 {
		p.add(key+"jwks_every", "must not be negative")
	}
	if t.Leeway < 0 || t.Leeway > 5*time.Minute {
		p.add(key+"leeway", "must be between 0 and 5m")
	}
	for _, a := range t.Audience {
		if a == "" {
			p.add(key+"audience", "must not have empty entries")
		}
	}
}

// typeName keeps names usable as metric labels and in headers.
func typeName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// checkURL checks where keys may be fetched. It is asked again for every
// redirection.
func checkURL(raw string, hosts []string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("must be a URL with a host") // the parser's error repeats the URL, which may hold a password
	}
	return allowed(u, hosts)
}

func allowed(u *url.URL, hosts []string) error {
	host := u.Hostname()
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1"):
	default:
		return errors.New("must be https, or http on loopback")
	}
	if len(hosts) > 0 && !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return fmt.Errorf("must be on one of jwks_hosts, not on %q", host)
	}
	return nil
}

// problems collects everything that is wrong with a config.
type problems []error

func (p *problems) add(key, format string, args ...any) {
	*p = append(*p, fmt.Errorf(key+": "+format, args...))
}

func (p *problems) between(key string, v, least, most int) {
	if v < least || v > most {
		p.add(key, "must be between %d and %d, is %d", least, most, v)
	}
}
