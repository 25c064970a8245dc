package auth

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/pkg/id"
)

// claims are what is read of a token; the others are ignored.
type claims struct {
	jwt.RegisteredClaims
	Docs          []string `json:"docs"`
	AuthType      string   `json:"auth_type"`
	Locale        string   `json:"locale"`
	ClientVersion string   `json:"client_version"`
}

// endOfTime is the latest expiry that is believed: beyond it the arithmetic of
// times stops to be sound.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// identity checks the claims of a token whose signature, times, issuer and
// audience are right.
func (c *claims) identity(typeName string, maxGrants int) (Identity, Cause) {
	if c.AuthType != "" && c.AuthType != typeName {
		return Identity{}, CauseType
	}
	if id.CheckUser(c.Subject) != nil {
		return Identity{}, CauseSubject
	}
	docs, ok := checkGrants(c.Docs, maxGrants)
	if !ok {
		return Identity{}, CauseGrants
	}
	if c.ID != "" && id.CheckUser(c.ID) != nil { // the same form will do
		return Identity{}, CauseMalformed
	}
	i := Identity{User: id.User(c.Subject), AuthType: typeName, TokenID: c.ID, Docs: docs}
	if c.ExpiresAt != nil {
		if c.ExpiresAt.After(endOfTime) || c.ExpiresAt.Unix() < 0 {
			return Identity{}, CauseNoExpiry
		}
		i.ExpiresAt = c.ExpiresAt.Time
	}
	if c.IssuedAt != nil {
		i.Issued = c.IssuedAt.Unix()
	}
	if isLocale(c.Locale) {
		i.Locale = c.Locale
	}
	if isVersion(c.ClientVersion) {
		i.ClientVersion = c.ClientVersion
	}
	return i, ""
}

// isLocale tells whether s looks like a language tag.
func isLocale(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) <= 35
}

// isVersion tells whether s is short and printable ASCII.
func isVersion(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= 64
}
