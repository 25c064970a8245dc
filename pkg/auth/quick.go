package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/pkg/plainjson"
)

// quick verifies tokens with HS256 that look like most: the library takes four times
// as long for its reflection as the signature takes, and leaves two kilobytes of
// garbage. It only ever says yes. A token that is wrong, or in any way unusual, is
// the library's, which knows why; so is the first one with a header, since a header
// that the library has taken once need not be read again. Whether a token's time is
// right is asked of the library's validator.
type quick struct {
	validator *jwt.Validator
	desks     sync.Pool
	headers   atomic.Pointer[[]string] // first parts of tokens that the library has taken
	learning  sync.Mutex
}

// maxHeaders bounds what is remembered: an issuer has one, or one for each key.
const maxHeaders = 16

// desk is what it takes to verify a token, used again for the next one.
type desk struct {
	mac           hash.Hash // of the secret
	token         []byte
	payload       []byte
	sum, sent     [sha256.Size]byte
	claims        claims
	exp, nbf, iat jwt.NumericDate // what claims points to
}

var segments = base64.RawURLEncoding.Strict()

func newQuick(secret []byte, options []jwt.ParserOption) *quick {
	q := &quick{validator: jwt.NewValidator(options...)}
	q.desks.New = func() any { return &desk{mac: hmac.New(sha256.New, secret)} }
	return q
}

// knows tells whether the library has taken the header.
func (q *quick) knows(header string) bool {
	known := q.headers.Load()
	return known != nil && slices.Contains(*known, header)
}

// learn remembers the header of a token that the library has taken.
func (q *quick) learn(token string) {
	header, _, _ := strings.Cut(token, ".")
	if q.knows(header) {
		return
	}
	q.learning.Lock()
	defer q.learning.Unlock()
	var known []string
	if p := q.headers.Load(); p != nil {
		known = *p
	}
	if len(known) == maxHeaders {
		return
	}
	known = append(slices.Clip(known), strings.Clone(header))
	q.headers.Store(&known)
}

// verify gives the identity behind a token; no means that it is the library's.
func (q *quick) verify(typeName, token string, maxGrants int) (Identity, bool) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if !q.knows(header) || len(signature) != segments.EncodedLen(sha256.Size) || len(token) > maxQuick {
		return Identity{}, false
	}
	d := q.desks.Get().(*desk)
	defer q.tidy(d)
	d.token = append(d.token[:0], token...)
	from := len(header) + 1
	to := from + len(payload)
	if !d.signed(to) || !d.decode(d.token[from:to]) || !d.read() {
		return Identity{}, false
	}
	if q.validator.Validate(&d.claims) != nil {
		return Identity{}, false
	}
	who, cause := d.claims.identity(typeName, maxGrants)
	return who, cause == ""
}

// maxQuick bounds the tokens, and so what a desk keeps.
const maxQuick = 8192

// tidy gives a desk back, which keeps no claims.
func (q *quick) tidy(d *desk) {
	d.claims = claims{}
	q.desks.Put(d)
}

// signed tells whether what stands behind the token's dot at to is the signature of
// what stands before it.
func (d *desk) signed(to int) bool {
	n, err := segments.Decode(d.sent[:], d.token[to+1:])
	if err != nil || n != len(d.sent) {
		return false
	}
	d.mac.Reset()
	d.mac.Write(d.token[:to])
	return hmac.Equal(d.sent[:], d.mac.Sum(d.sum[:0]))
}

func (d *desk) decode(segment []byte) bool {
	d.payload = slices.Grow(d.payload[:0], segments.DecodedLen(len(segment)))
	n, err := segments.Decode(d.payload[:cap(d.payload)], segment)
	d.payload = d.payload[:n]
	return err == nil
}

// claimNames are the members of a payload that mean something, in any case.
var claimNames = []string{
	"sub", "exp", "docs", "iat", "jti", "iss", "aud", "nbf", "auth_type", "locale", "client_version",
}

// read reads the payload; false means that it is not plain.
func (d *desk) read() bool {
	c := &d.claims
	o := plainjson.Read(d.payload)
	for name, ok := o.Next(); ok; name, ok = o.Next() {
		switch string(name) {
		case "sub":
			c.Subject = string(o.Text())
		case "exp":
			c.ExpiresAt = dateOf(&o, &d.exp)
		case "docs":
			c.Docs = o.Texts()
		case "iat":
			c.IssuedAt = dateOf(&o, &d.iat)
		case "jti":
			c.ID = string(o.Text())
		case "iss":
			c.Issuer = string(o.Text())
		case "aud":
			if c.Audience = nil; o.IsText() {
				c.Audience = jwt.ClaimStrings{string(o.Text())}
			} else {
				c.Audience = o.Texts()
			}
		case "nbf":
			c.NotBefore = dateOf(&o, &d.nbf)
		case "auth_type":
			c.AuthType = string(o.Text())
		case "locale":
			c.Locale = string(o.Text())
		case "client_version":
			c.ClientVersion = string(o.Text())
		default:
			o.Unknown(name, claimNames...)
		}
	}
	return o.End()
}

// dateOf reads a time in whole seconds.
func dateOf(o *plainjson.Object, into *jwt.NumericDate) *jwt.NumericDate {
	into.Time = time.Unix(o.Number(), 0)
	return into
}
