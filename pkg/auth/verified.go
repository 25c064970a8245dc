package auth

import (
	"context"
	"strconv"
)

// Clients come back with the token that they had, all of them at once after an
// outage. A signature with a public key takes ten times as long to verify as
// everything else about a token, so those that were right are remembered, by
// hash. A secret's is as cheap as the memory.

// verifyKeys verifies a token with the keys of its type, or knows that it was
// verified with them.
func (v *Verifier) verifyKeys(ctx context.Context, t *verification, token string) (Identity, Cause) {
	if v.verified == nil || t.source == nil {
		return v.verifyAnew(ctx, t, token)
	}
	// Read before the keys are used: what was verified with a key that is
	// withdrawn meanwhile is stored where nobody looks any more.
	key := t.keyOf(t.source.version.Load(), token)
	if known, ok := v.verified.get(key, v.now()); ok {
		v.m.remembered.WithLabelValues(t.name, "hit").Inc()
		return known.who, ""
	}
	v.m.remembered.WithLabelValues(t.name, "miss").Inc()
	who, cause := v.verifyAnew(ctx, t, token)
	if cause == "" {
		until := who.ExpiresAt
		if until.IsZero() {
			until = endOfTime
		}
		v.verified.put(key, answer{who: who}, until)
	}
	return who, cause
}

func (v *Verifier) verifyAnew(ctx context.Context, t *verification, token string) (Identity, Cause) {
	c, cause := t.check(ctx, token)
	if cause != "" {
		return Identity{}, cause
	}
	return c.identity(t.name, v.cfg.MaxGrants)
}

// keyOf stands for a token that was verified with one version of the keys. No
// type's name has a number sign.
func (t *verification) keyOf(version uint64, token string) tokenKey {
	return keyOf(t.name+"#"+strconv.FormatUint(version, 10), token)
}
