package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/gotomicro/ego/server/egovernor"
)

// governor runs EGO's operations port. What would show the environment, the
// configuration or run jobs is closed; health and readiness are added.
type governor struct {
	component *egovernor.Component
	address   string
}

func newGovernor(key string, cfg GovernorConfig, h *health) *governor {
	g := &governor{component: egovernor.Load(key).Build(), address: net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))}
	inner := g.component.Server.Handler
	g.component.Server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			// Nothing here changes anything: what does needs a token and an audit.
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.URL.Path == "/health":
			h.live(w, r)
		case r.URL.Path == "/ready":
			h.complete(w, r)
		case r.URL.Path == "/accept-traffic":
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
	if err := openPort("governor port", g.address, g.component.Init); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- g.component.Start() }()
	select {
	case err := <-failed:
		return fmt.Errorf("governor: %w", err)
	case <-ctx.Done():
		return errors.Join(g.component.Stop(), <-failed)
	}
}

// openPort has EGO open a port. EGO panics when it cannot, without saying why: so
// the port is tried before, and a panic becomes an error.
func openPort(what, address string, open func() error) (err error) {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", what, p)
		}
	}()
	return open()
}
