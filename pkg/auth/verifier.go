package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
)

// Verifier turns tokens into identities. It is safe for use by many goroutines.
type Verifier struct {
	cfg   Config
	types map[string]*verification
	m     *Metrics
	now   func() time.Time

	verified *answers // to tokens signed with a public key; nil: none is kept
}

// verification is one auth type, ready for use.
type verification struct {
	name   string
	cfg    Type
	parser *jwt.Parser
	right  prometheus.Counter // of the results, found once

	// One of these.
	secret   []byte
	source   *source
	callback *callback
}

// New builds a Verifier. It reads the files that the config names, does not use
// the network, and reports everything that is wrong at once. Types with a JWK set
// behind a URL refuse all tokens until Run has fetched it.
func New(cfg Config, log *elog.Component, m *Metrics) (*Verifier, error) {
	return newVerifier(cfg, log, m, time.Now)
}

func newVerifier(cfg Config, log *elog.Component, m *Metrics, now func() time.Time) (*Verifier, error) {
	errs := []error{cfg.Validate()}
	cfg = cfg.filled()
	v := &Verifier{cfg: cfg, types: map[string]*verification{}, m: m, now: now}
	if cfg.VerifiedTokens > 0 {
		v.verified = newAnswers(cfg.VerifiedTokens)
	}
	for i, t := range cfg.Types {
		key := fmt.Sprintf("type[%d].", i)
		vt := &verification{name: t.Name, cfg: t, parser: t.parser(now), right: m.results.WithLabelValues(t.Name, "ok")}
		if t.Callback.Address != "" {
			var err error
			vt.callback, err = newCallback(t, cfg.MaxGrants, log, m, now)
			errs = append(errs, prefixed(key+"callback.", err))
		} else {
			errs = append(errs, vt.keys(key, log, m))
		}
		v.types[t.Name] = vt
	}
	if err := errors.Join(errs...); err != nil {
		v.hangUp()
		return nil, err
	}
	return v, nil
}

// hangUp ends the connections to components that verify.
func (v *Verifier) hangUp() {
	for _, t := range v.types {
		if t.callback != nil {
			t.callback.close()
		}
	}
}

// parser has everything that does not depend on the token.
func (t *Type) parser(now func() time.Time) *jwt.Parser {
	opts := []jwt.ParserOption{
		jwt.WithValidMethods(t.Algorithms),
		jwt.WithTimeFunc(now),
		jwt.WithLeeway(t.Leeway),
		jwt.WithStrictDecoding(), // one spelling a token
	}
	if !t.AllowUnexpiring {
		opts = append(opts, jwt.WithExpirationRequired())
	}
	if t.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(t.Issuer))
	}
	if len(t.Audience) > 0 {
		opts = append(opts, jwt.WithAudience(t.Audience...))
	}
	return jwt.NewParser(opts...)
}

// keys reads the secret, or prepares the JWK set.
func (v *verification) keys(key string, log *elog.Component, m *Metrics) (err error) {
	t := v.cfg
	switch {
	case t.Secret != "":
		v.secret = []byte(t.Secret)
	case t.SecretFile != "":
		if v.secret, err = readSecret(t.SecretFile); err != nil {
			return fmt.Errorf("%ssecret_file: %w", key, err)
		}
	case t.JWKSFile != "":
		if v.source, err = newSource(t, fromFile(t.JWKSFile), log, m); err == nil {
			err = v.source.loadNow()
		}
		if err != nil {
			return fmt.Errorf("%sjwks_file: %w", key, err)
		}
	case t.JWKSURL != "":
		if v.source, err = newSource(t, fromURL(t.JWKSURL, t.JWKSHosts, t.JWKSTimeout), log, m); err != nil {
			return fmt.Errorf("%sjwks_url: %w", key, err)
		}
	}
	return nil
}

// readSecret reads a secret that an editor may have ended with a line break.
func readSecret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) < minSecret {
		return nil, fmt.Errorf("the secret must have at least %d bytes, has %d", minSecret, len(b))
	}
	return b, nil
}

// Run keeps JWK sets fresh until ctx ends, then closes the connections to
// components that verify, and returns nil.
func (v *Verifier) Run(ctx context.Context) error {
	defer v.hangUp()
	var wg sync.WaitGroup
	for _, t := range v.types {
		if t.source != nil {
			wg.Go(func() { t.source.run(ctx) })
		}
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// Ready tells which auth types can not verify yet, because their JWK set was never
// loaded; nil when all can.
func (v *Verifier) Ready() error {
	var errs []error
	for name, t := range v.types {
		if t.source != nil && !t.source.loaded.Load() {
			errs = append(errs, fmt.Errorf("the JWK set of auth type %s is not loaded", name))
		}
	}
	return errors.Join(errs...)
}

// Verify gives the identity behind a token. authType is the kind of client as it
// named itself, "" for the default. Without a token the identity is anonymous, if
// that is allowed. ctx bounds waiting for a component that verifies, and for a JWK
// set, which happens only when a token names a key that is not known yet.
//
// Errors are ErrRefused or ErrUnavailable to the outside; see CauseOf.
func (v *Verifier) Verify(ctx context.Context, authType, token string) (Identity, error) {
	start := time.Now()
	label, who, cause := v.verify(ctx, authType, token)
	result := string(cause)
	switch {
	case cause != "":
	case who.Anonymous:
		result = "anonymous"
	default:
		result = "ok"
	}
	if t := v.types[label]; t != nil && result == "ok" {
		t.right.Inc()
	} else {
		v.m.results.WithLabelValues(label, result).Inc()
	}
	v.m.seconds.Observe(time.Since(start).Seconds())
	if cause != "" {
		return Identity{}, &refusal{cause}
	}
	// Whatever an issuer's clock says: a token that is here was issued before.
	who.Issued = min(who.Issued, v.now().Unix())
	return who, nil
}

// verify gives the label of the type as well, which is never what a client chose.
func (v *Verifier) verify(ctx context.Context, authType, token string) (string, Identity, Cause) {
	if authType == "" {
		authType = v.cfg.DefaultType
	}
	t := v.types[authType]
	label := "unknown"
	if t != nil {
		label = t.name
	}
	if token == "" && v.cfg.Anonymous && (t != nil || authType == "") {
		who := Identity{AuthType: "anonymous", Docs: v.cfg.AnonymousDocs, Anonymous: true}
		if t != nil {
			who.AuthType = t.name
		}
		return label, who, ""
	}
	switch {
	case t == nil:
		return label, Identity{}, CauseType
	case token == "":
		return label, Identity{}, CauseMissing
	case len(token) > v.cfg.MaxTokenBytes:
		return label, Identity{}, CauseTooLarge
	}
	if t.callback != nil {
		who, cause := t.callback.verify(ctx, token)
		return label, who, cause
	}
	who, cause := v.verifyKeys(ctx, t, token)
	return label, who, cause
}

// check verifies the signature and the registered claims, twice if the key was
// unknown and keys were loaded meanwhile.
func (v *verification) check(ctx context.Context, token string) (*claims, Cause) {
	c, cause := v.checkOnce(ctx, token)
	missing := cause == CauseUnknownKey || cause == CauseNoKeys
	if !missing || v.source == nil {
		return c, cause
	}
	ctx, cancel := ending(ctx)
	defer cancel()
	if v.source.renewed(ctx) {
		return v.checkOnce(ctx, token)
	}
	return c, cause
}

// ending makes a context say when it is over that has a deadline alone. Most tokens
// are verified without waiting for anybody, so that their callers save the timer.
func ending(ctx context.Context) (context.Context, context.CancelFunc) {
	at, ends := ctx.Deadline()
	if !ends || ctx.Done() != nil {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, at)
}

func (v *verification) checkOnce(ctx context.Context, token string) (*claims, Cause) {
	if v.source != nil && !v.source.loaded.Load() {
		return nil, CauseNoKeys
	}
	c := &claims{}
	t, err := v.parser.ParseWithClaims(token, c, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return nil, v.causeOf(t, err)
	}
	return c, ""
}

// errHeader refuses headers that ask for extensions (crit, RFC 7515 section 4.1.11),
// of which none is known, and key ids that are not text.
var errHeader = errors.New("header")

// key finds what the token's signature is checked with. The algorithm was checked
// before.
func (v *verification) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errHeader
	}
	if kid, ok := t.Header["kid"]; ok {
		if _, ok := kid.(string); !ok {
			return nil, errHeader
		}
	}
	if v.source == nil {
		return v.secret, nil
	}
	return v.source.keys.KeyfuncCtx(ctx)(t)
}

// causeOf sorts the library's errors. Several claims may be wrong at once; the
// most telling comes first.
func (v *verification) causeOf(t *jwt.Token, err error) Cause {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed), errors.Is(err, errHeader), t == nil:
		return CauseMalformed
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return CauseUnknownKey
	case errors.Is(err, jwt.ErrTokenUnverifiable), !slices.Contains(v.cfg.Algorithms, t.Method.Alg()):
		return CauseAlgorithm // not known, not allowed, or not the one of the key
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return CauseSignature
	case errors.Is(err, jwt.ErrTokenExpired):
		return CauseExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return CauseNotYet
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return CauseIssuer
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return CauseAudience
	}
	return missingClaim(t)
}

// missingClaim tells which of the claims that can be required is not there: the
// library has one error for all.
func missingClaim(t *jwt.Token) Cause {
	c, ok := t.Claims.(*claims)
	switch {
	case !ok:
		return CauseMalformed
	case c.ExpiresAt == nil:
		return CauseNoExpiry
	case c.Issuer == "":
		return CauseIssuer
	case len(c.Audience) == 0 || c.Audience[0] == "":
		return CauseAudience
	}
	return CauseMalformed
}
