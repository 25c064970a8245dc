package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gotomicro/ego/server/egovernor"
)

// governor runs EGO's operations port. What would show the environment, the
// configuration or run jobs is closed; health and readiness are added.
type governor struct {
	component *egovernor.Component
	health    *health
}

func newGovernor(key string, h *health) *governor {
	g := &governor{component: egovernor.Load(key).Build(), health: h}
	inner := g.component.Server.Handler
	g.component.Server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/health":
			h.live(w, r)
		case r.URL.Path == "/ready":
			h.accepting(w, r)
		case closedPath(r.URL.Path):
			http.NotFound(w, r)
		default:
			inner.ServeHTTP(w, r)
		}
	})
	return g
}

func closedPath(path string) bool {
	for _, prefix := range []string{"/env", "/config", "/job"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == "/debug/pprof/cmdline"
}

// run serves until ctx ends.
func (g *governor) run(ctx context.Context) error {
	if err := recovered("governor port", g.component.Init); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- g.component.Start() }()
	select {
	case err := <-failed:
		return fmt.Errorf("governor: %w", err)
	case <-ctx.Done():
		err := g.component.Stop()
		<-failed
		return err
	}
}

// recovered turns EGO's panic about a port that is taken into an error.
func recovered(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", what, p)
		}
	}()
	return f()
}
