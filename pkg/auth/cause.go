package auth

import "errors"

// ErrRefused is all that the outside may learn about a token that is not believed.
// Verify's errors wrap it and have its text, or those of ErrUnavailable.
var ErrRefused = errors.New("not authenticated")

// ErrUnavailable means that a token could be neither believed nor refused, because
// what decides about it is away: the client should come back later.
var ErrUnavailable = errors.New("authentication unavailable")

// Cause says why a token was refused. It is bounded and contains nothing of the
// token, so it may be a metric label. Keep it inside: it tells an attacker how far
// a forged token came.
type Cause string

const (
	CauseMissing    Cause = "missing"      // no token, and anonymous clients are not admitted
	CauseType       Cause = "unknown_type" // an auth type that is not configured, or not the one of the token
	CauseTooLarge   Cause = "too_large"    // above MaxTokenBytes
	CauseMalformed  Cause = "malformed"    // not a JWT, or claims of wrong types
	CauseAlgorithm  Cause = "algorithm"    // none, or another one that the type does not allow
	CauseNoKeys     Cause = "no_keys"      // the JWK set was never loaded: this is our fault, not the client's
	CauseUnknownKey Cause = "unknown_key"  // a key id that is not in the JWK set
	CauseSignature  Cause = "signature"    // forged, or signed with another key
	CauseExpired    Cause = "expired"      // exp has passed
	CauseNoExpiry   Cause = "no_expiry"    // exp is missing or centuries away
	CauseNotYet     Cause = "not_yet"      // nbf is in the future
	CauseIssuer     Cause = "issuer"       // iss is not the configured one
	CauseAudience   Cause = "audience"     // aud has none of the configured ones
	CauseSubject    Cause = "subject"      // sub is missing or can not be a user
	CauseGrants     Cause = "grants"       // docs has too many entries, or one that can not be a document
	CauseCallback   Cause = "callback"     // the component that verifies said no
	CauseAway       Cause = "unavailable"  // the component that verifies is away, or was given up for a while
	CauseAnswer     Cause = "bad_answer"   // the component that verifies answered what can not be an identity
)

// passing tells causes that are not the token's fault.
func (c Cause) passing() bool { return c == CauseNoKeys || c == CauseAway || c == CauseAnswer }

// refusal carries a cause and reads like ErrRefused or ErrUnavailable.
type refusal struct{ cause Cause }

func (r *refusal) Error() string { return r.Unwrap().Error() }

func (r *refusal) Unwrap() error {
	if r.cause.passing() {
		return ErrUnavailable
	}
	return ErrRefused
}

// CauseOf gives the cause of an error from Verify, "" if it is of another kind.
func CauseOf(err error) Cause {
	var r *refusal
	if errors.As(err, &r) {
		return r.cause
	}
	return ""
}
