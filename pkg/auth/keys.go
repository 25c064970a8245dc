package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

const (
	maxSetBytes = 256 << 10 // of a JWK set
	maxKeys     = 64        // in a JWK set; a token without a key id is tried with each
)

var errNoKey = errors.New("no usable key in the JWK set")

// parseKeys reads a JWK set and keeps the public keys that can verify one of the
// algorithms. Others are ignored, as RFC 7517 section 5 asks: a set may serve
// more than us. Secrets in a set are never used.
func parseKeys(raw []byte, algorithms []string) ([]jwkset.JWK, error) {
	if len(raw) > maxSetBytes {
		return nil, fmt.Errorf("JWK set of more than %d bytes", maxSetBytes)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("not a JWK set") // the decoder's error repeats the input
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("JWK set of %d keys, at most %d are allowed", len(set.Keys), maxKeys)
	}
	var keys []jwkset.JWK
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw, algorithms); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, nil
}

// parseKey reads one key; ok is false when it cannot be used. The library panics on
// coordinates that are longer than their curve has them.
func parseKey(raw json.RawMessage, algorithms []string) (k jwkset.JWK, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var m jwkset.JWKMarshal
	if json.Unmarshal(raw, &m) != nil {
		return k, false
	}
	k, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	return k, err == nil && usable(k, algorithms)
}

// usable tells whether a key is meant for signatures and strong enough for one of
// the algorithms.
func usable(k jwkset.JWK, algorithms []string) bool {
	m := k.Marshal()
	if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return false
	}
	var alg string
	switch key := k.Key().(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 8192 || key.E < 3 || key.E&1 == 0 || int64(key.E) > 1<<31-1 {
			return false
		}
		alg = "RS256"
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return false
		}
		if _, err := key.ECDH(); err != nil {
			return false // not a point of the curve
		}
		alg = "ES256"
	case ed25519.PublicKey:
		alg = "EdDSA"
	default:
		return false
	}
	return slices.Contains(algorithms, alg) && (m.ALG == "" || m.ALG.String() == alg)
}
