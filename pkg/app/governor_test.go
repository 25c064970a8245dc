package app

import "testing"

// The operations port has no password.
func TestTheOperationsPortIsOnLoopbackUnlessConfigured(t *testing.T) {
	for name, host := range map[string]string{
		"ws-gateway": DefaultGatewayConfig().Server.Governor.Host,
		"ws-api":     DefaultAPIConfig().Server.Governor.Host,
	} {
		if host != "127.0.0.1" {
			t.Errorf("%s listens on %q", name, host)
		}
	}
}

func TestWhatShowsTooMuchIsClosed(t *testing.T) {
	for path, want := range map[string]bool{
		"/env/info": true, "/config/json": true, "/config/raw": true, "/job/list": true, "/jobs": true, "/debug/pprof/cmdline": true,
		"/metrics": false, "/debug/pprof/heap": false, "/build/info": false,
	} {
		if closedPath(path) != want {
			t.Errorf("%s: closed is %v", path, !want)
		}
	}
}
