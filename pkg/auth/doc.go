// Package auth turns the token a client shows into an [Identity]: who it is, what
// it may join and until when.
//
// Each kind of client is a named auth type (sdk, web, mobile, ...) with its own
// keys, issuer and audience. A type verifies JSON Web Tokens either with one shared
// secret (HS256) or with the public keys of a JWK set (RS256, ES256, EdDSA), never
// with both, so a public key can not be mistaken for a secret. Or a type has no
// keys, and a component of the company's is asked about each token, over gRPC with
// a memory of its answers, a timeout and a circuit breaker.
//
//	token -> size -> type -> signature -> time, issuer, audience -> claims -> Identity
//
// The claims that are read:
//
//	sub             the user (required)
//	exp             when the identity ends (required unless allow_unexpiring)
//	jti             the token's id, by which it can be revoked
//	iat             when it was issued, which a revocation of the user compares with
//	docs            documents that may be joined: exact ids, or prefixes with * behind
//	auth_type       if present, must be the name of the type
//	locale          the client's language, dropped when it does not look like one
//	client_version  the client's version, dropped when it is not plain ASCII
//	iss, aud, nbf   checked as configured
//
// Whatever is wrong with a token, the outside learns one thing only: [ErrRefused];
// or [ErrUnavailable] when nobody can tell, and the client should come back later.
// The [Cause] is for metrics and logs. A token that is wrong never counts as no
// token: it is refused where anonymous clients are welcome, too.
package auth
