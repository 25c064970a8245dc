package auth

import (
	"strings"
	"time"

	"sluice/pkg/id"
)

// Identity is who a client proved to be. It is a value that belongs to one
// connection; its slices must not be changed.
type Identity struct {
	User     id.User // "" for anonymous clients
	AuthType string  // the name of the auth type; "anonymous" for anonymous clients when no type is known
	TokenID  string  // jti, "" if the token has none

	// Docs is what may be joined: exact ids, or prefixes with * behind. A
	// client without grants joins only what a component joins it to.
	Docs []string

	Locale        string // such as "en-GB", "" if unknown
	ClientVersion string // "" if the token does not tell

	// ExpiresAt ends the identity: the connection must be closed or show a new
	// token by then. Zero means that it does not end.
	ExpiresAt time.Time

	// Issued is when the token was issued, in Unix seconds, which is all that
	// tokens tell; 0 if unknown. A revocation of the user compares with it.
	Issued int64

	Anonymous bool
}

// MayJoin tells whether a grant covers the document. It does not look at
// ExpiresAt.
func (i *Identity) MayJoin(doc id.Doc) bool {
	if doc == "" {
		return false
	}
	for _, grant := range i.Docs {
		prefix, isPrefix := strings.CutSuffix(grant, "*")
		if isPrefix && strings.HasPrefix(string(doc), prefix) || !isPrefix && string(doc) == grant {
			return true
		}
	}
	return false
}

// checkGrants bounds a docs claim. A grant is a document's id, or a prefix of one
// with * behind; * alone grants everything. A star elsewhere is a star.
func checkGrants(docs []string, most int) ([]string, bool) {
	if len(docs) > most {
		return nil, false
	}
	for _, d := range docs {
		if prefix, ok := strings.CutSuffix(d, "*"); ok {
			if d = prefix; d == "" {
				continue
			}
		}
		if id.CheckDoc(d) != nil {
			return nil, false
		}
	}
	return docs, true
}
