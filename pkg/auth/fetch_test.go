package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
)

func TestKeysAreFetchedFromAURL(t *testing.T) {
	a := newPair(t, pairs().ed, "a")
	raw := set(t, a.jwk)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" || r.Method != http.MethodGet {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		_, _ = w.Write(raw)
	}))
	defer srv.Close()
	v, err := New(Config{Types: []Type{{Name: "web", JWKSURL: srv.URL + "/keys"}}}, quiet(), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	runs(t, v)
	for deadline := time.Now().Add(time.Minute); v.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(v.Ready())
		}
	}
	token := sign(t, jwt.SigningMethodEdDSA, a.private, kid("a"), jwt.MapClaims{"sub": "u", "exp": time.Now().Add(time.Hour).Unix()})
	if who, err := v.Verify(t.Context(), "", token); err != nil || who.User != "u" {
		t.Errorf("%+v %v", who, CauseOf(err))
	}
}

func TestFetchRefuses(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			if _, err := w.Write(make([]byte, maxSetBytes)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:1/keys", http.StatusFound)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/keys", http.StatusFound)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("here")) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer close(release)

	get := func(path string, hosts []string, timeout time.Duration) (string, error) {
		b, err := fromURL(srv.URL+path, hosts, timeout)(context.Background())
		return string(b), err
	}
	if got, err := get("/moved", nil, 10*time.Second); err != nil || got != "here" {
		t.Errorf("redirection on the same host: %q %v", got, err)
	}
	for path, want := range map[string]string{
		"/error": "status 500", "/missing": "status 404", "/loop": "too many redirections",
		"/away": "must be on one of jwks_hosts", "/plain": "must be https",
	} {
		if got, err := get(path, nil, 10*time.Second); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), srv.URL) {
			t.Errorf("%s: %q %v", path, got, err)
		}
	}
	if got, err := get("/large", nil, 10*time.Second); err != nil || len(got) != maxSetBytes+1 {
		t.Errorf("large: %d bytes, %v", len(got), err)
	}
	for _, path := range []string{"/slow", "/drip"} {
		if got, err := get(path+"?key=hunter2", nil, 50*time.Millisecond); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q %v", path, got, err)
		}
	}
	if _, err := get("/keys", []string{"id.example"}, time.Second); err == nil {
		t.Error("fetched from a host that is not listed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fromURL(srv.URL+"/keys", nil, time.Second)(ctx); err == nil {
		t.Error("fetched with a context that had ended")
	}
}

func TestFilesAreReadUpToTheLimit(t *testing.T) {
	b, err := fromFile(file(t, make([]byte, 10*maxSetBytes)))(context.Background())
	if err != nil || len(b) != maxSetBytes+1 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
