package launch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// tokenLife is longer than any measurement.
const tokenLife = 24 * time.Hour

// tokenHead is {"alg":"HS256","typ":"JWT"}.
const tokenHead = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."

// AppendToken appends a JWT that makes a client a user of its own who may join
// all documents that begin with bench-.
func AppendToken(dst []byte, secret string, client uint32, now time.Time) []byte {
	claims := `{"sub":"bench-` + strconv.FormatUint(uint64(client), 10) + `","docs":["bench-*"],"exp":` +
		strconv.FormatInt(now.Add(tokenLife).Unix(), 10) + `}`
	begin := len(dst)
	dst = append(dst, tokenHead...)
	dst = base64.RawURLEncoding.AppendEncode(dst, []byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(dst[begin:])
	return base64.RawURLEncoding.AppendEncode(append(dst, '.'), mac.Sum(nil))
}
