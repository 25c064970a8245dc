package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// fetcher gives the bytes of a JWK set, at most one more than maxSetBytes.
type fetcher func(ctx context.Context) ([]byte, error)

// fromFile reads a set from a file.
func fromFile(path string) fetcher {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxSetBytes+1))
	}
}

// fromURL fetches a set. Redirections stay within the hosts and the scheme that
// the first request was allowed.
func fromURL(raw string, hosts []string, timeout time.Duration) fetcher {
	if len(hosts) == 0 {
		if u, err := url.Parse(raw); err == nil {
			hosts = []string{u.Hostname()}
		}
	}
	client := &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true, // minutes apart
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirections")
			}
			return allowed(r.URL, hosts)
		},
	}
	return func(ctx context.Context) ([]byte, error) {
		if err := checkURL(raw, hosts); err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
		if err != nil {
			return nil, errors.New("not a URL")
		}
		r.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(r)
		if err != nil {
			var ue *url.Error
			if errors.As(err, &ue) {
				err = ue.Err // without the URL, which may hold a password
			}
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", resp.StatusCode)
		}
		return io.ReadAll(io.LimitReader(resp.Body, maxSetBytes+1))
	}
}
