package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/edge"
)

// testPort is a client port that does not listen.
func testPort(t *testing.T, change func(*edge.Config)) (*clientPort, *health) {
	t.Helper()
	cfg := edge.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	h := newHealth()
	e, err := newClientPort(cfg, h, edge.NewMetrics(prometheus.NewRegistry()), quiet())
	if err != nil {
		t.Fatal(err)
	}
	return e, h
}

func answerOf(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestBalancersAreAnswered(t *testing.T) {
	e, h := testPort(t, nil)
	e.serve(http.NotFoundHandler())
	full := false
	for _, step := range []struct {
		name                string
		do                  func()
		live, ready, accept int
		body                string // of /accept-traffic
	}{
		{"starting", func() { h.await("redis", "kafka") }, 200, 503, 503, `{"state":"starting","missing":["redis","kafka"]}`},
		{"with one of two", func() { h.have("redis") }, 200, 503, 503, `{"state":"starting","missing":["kafka"]}`},
		{"ready", func() { h.have("kafka"); h.set(stateReady) }, 200, 200, 200, `{"state":"ready"}`},
		{"full", func() { full = true; h.shedding(func() bool { return full }) }, 200, 200, 503, `{"state":"full"}`},
		{"with room again", func() { full = false }, 200, 200, 200, `{"state":"ready"}`},
		{"leaving", func() { h.set(stateDraining) }, 200, 503, 503, `{"state":"draining"}`},
	} {
		step.do()
		for path, want := range map[string]int{"/health": step.live, "/ready": step.ready, "/accept-traffic": step.accept} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				w := answerOf(e, method, path)
				if w.Code != want || (want == 503) != (w.Header().Get("Retry-After") != "") || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %s %s answers %d, %v", step.name, method, path, w.Code, w.Header())
				}
				if path == "/accept-traffic" && strings.TrimSpace(w.Body.String()) != step.body {
					t.Errorf("%s: %s", step.name, w.Body)
				}
			}
		}
	}
}

func TestBalancersOnlyAsk(t *testing.T) {
	e, _ := testPort(t, nil)
	for _, path := range []string{"/health", "/ready", "/accept-traffic"} {
		for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodOptions, "BREW"} {
			if w := answerOf(e, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
				t.Errorf("%s %s answers %d", method, path, w.Code)
			}
		}
	}
}

func TestPathsForBalancersMoveAndGo(t *testing.T) {
	e, h := testPort(t, func(c *edge.Config) { c.Health = edge.HealthConfig{Live: "/alive", Accept: ""} })
	h.set(stateReady)
	e.serve(http.NotFoundHandler())
	for path, want := range map[string]int{
		"/alive": 200, "/health": 404, "/ready": 404, "/accept-traffic": 404, "/alive/": 404, "/ALIVE": 404, "/": 404,
	} {
		if w := answerOf(e, http.MethodGet, path); w.Code != want || want == 404 && w.Body.Len() > 32 {
			t.Errorf("%s answers %d %q", path, w.Code, w.Body)
		}
	}
}
