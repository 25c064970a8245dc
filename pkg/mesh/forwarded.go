package mesh

import (
	"context"
	"net/http"
)

type forwardedKey struct{}

// Forwarded tells whether another gateway forwarded r. Then r.RemoteAddr is the
// client's address as that gateway trusts it, and r must not be forwarded
// again. No client can forge it: the mark is in the request's context.
func Forwarded(r *http.Request) bool { return r.Context().Value(forwardedKey{}) != nil }

func markForwarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, forwardedKey{}, true)
}
