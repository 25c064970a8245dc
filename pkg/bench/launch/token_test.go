package launch

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestTokensAreThoseOfUsers(t *testing.T) {
	const secret = "a-secret-of-32-bytes-or-a-bit-more"
	text := AppendToken(nil, secret, 17, time.Now())
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(string(text), claims, func(*jwt.Token) (any, error) { return []byte(secret), nil }, jwt.WithValidMethods([]string{"HS256"}))
	if err != nil || claims["sub"] != "bench-17" {
		t.Errorf("%v: %v", claims, err)
	}
}
