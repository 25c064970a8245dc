package mesh

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Forwarded tells whether another gateway forwarded r. Then r.RemoteAddr is the
// client's address as that gateway trusts it, r.TLS is not nil if the client
// came over TLS (and says nothing else), and r must not be forwarded again. No
// client can forge it: the mark is in the request's context.
func Forwarded(r *http.Request) bool { return r.Context().Value(forwardedKey{}) != nil }

type forwardedKey struct{}

// envelope turns the client's request into the form that travels.
func envelope(r *http.Request, boot string, body []byte, upgrade bool) *meshv1.ForwardRequest {
	uri := r.RequestURI
	if uri == "" {
		uri = r.URL.RequestURI()
	}
	return &meshv1.ForwardRequest{
		Boot:       boot,
		Method:     r.Method,
		Uri:        uri,
		Host:       r.Host,
		Headers:    endToEnd(r.Header, upgrade),
		Body:       body,
		RemoteAddr: r.RemoteAddr,
		Tls:        r.TLS != nil,
	}
}

// opened turns it back into a request as net/http would have made it.
func opened(ctx context.Context, fr *meshv1.ForwardRequest) (*http.Request, error) {
	u, err := url.ParseRequestURI(fr.GetUri())
	if err != nil || fr.GetMethod() == "" {
		return nil, errors.New("forwarded request has no method or no valid uri") // without the uri: it holds a secret
	}
	r := &http.Request{
		Method:     fr.GetMethod(),
		URL:        u,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     make(http.Header, len(fr.GetHeaders())),
		Body:       http.NoBody,
		Host:       fr.GetHost(),
		RemoteAddr: fr.GetRemoteAddr(),
		RequestURI: fr.GetUri(),
	}
	for _, h := range fr.GetHeaders() {
		name := textproto.CanonicalMIMEHeaderKey(h.GetName())
		r.Header[name] = append(r.Header[name], h.GetValues()...)
	}
	r.Header.Del("Content-Length")
	if n := len(fr.GetBody()); n > 0 {
		r.Body = io.NopCloser(bytes.NewReader(fr.GetBody()))
		r.ContentLength = int64(n)
		r.Header.Set("Content-Length", strconv.Itoa(n))
	}
	if fr.GetTls() {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	return r.WithContext(context.WithValue(ctx, forwardedKey{}, true)), nil
}

// readBody reads a client's body, at most limit bytes of it. How long that may
// take is the affair of the client's server.
func readBody(r *http.Request, limit int) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > int64(limit) {
		return nil, fmt.Errorf("forward body: %w", ErrTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), len(body) > limit:
		return nil, fmt.Errorf("forward body: %w", ErrTooLarge)
	case err != nil:
		return nil, fmt.Errorf("forward body: %w: %w", ErrClientGone, err)
	}
	return body, nil
}
