package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func TestEveryConfigErrorIsReportedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.toml")
	text := `
namee = "typo"
[transport]
ping_interval = 25
path = "no-slash"
[gateway]
namespaces = []
[redis]
mode = "cluster"
[kafka]
brokers = ["no-port"]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "ws-gateway"), "-config", file)
	cmd.Env = append(os.Environ(), "SLUICE_EDGE_MAX_HEADER_BYTES=many")
	var out bytes.Buffer
	cmd.Stderr = &out
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v", err)
	}
	for _, want := range []string{
		"namee", "transport.ping_interval", "transport.path", "gateway.namespaces", "redis.addrs", "kafka.brokers",
		"mesh.token", "registry.dsn", "edge.max_header_bytes: from SLUICE_EDGE_MAX_HEADER_BYTES",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing is said about %s:\n%s", want, out.String())
		}
	}
}

func TestCheckPrintsTheConfigWithoutItsSecrets(t *testing.T) {
	const secret = "a-mesh-token-that-must-not-be-seen"
	dir := t.TempDir()
	for _, name := range []string{"ws-gateway", "ws-api", "ws-dev"} {
		cmd := exec.Command(program(t, name), "-check", "-config", filepath.Join(repository(t), "config", name+".toml"))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SLUICE_MESH_TOKEN="+secret, "SLUICE_EDGE_LISTEN=127.0.0.1:7654")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s -check: %v\n%s", name, err, out)
		}
		for _, hidden := range []string{secret, "change-me"} {
			if strings.Contains(string(out), hidden) {
				t.Errorf("%s -check shows %q", name, hidden)
			}
		}
		if name == "ws-gateway" && !strings.Contains(string(out), "127.0.0.1:7654") {
			t.Errorf("%s -check does not show what the environment sets", name)
		}
	}
}

func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAGatewayWaitsForWhatItNeeds starts one whose Redis is not there yet: it
// says so, is not ready, answers clients to come back, and is ready as soon as
// Redis is there.
func TestAGatewayWaitsForWhatItNeeds(t *testing.T) {
	c := &cluster{t: t, back: newBacking(t), dir: t.TempDir()}
	c.write("gateway.toml", gatewayTOML)
	late := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	c.back.redis = late
	g := c.startGateway("gateway-1")
	eventually(t, 20*time.Second, "the log to say what is missing", func() bool {
		return strings.Contains(g.log.String(), "waiting for redis")
	})
	if status := get(t, "http://"+g.governor+"/ready"); status != http.StatusServiceUnavailable {
		t.Errorf("/ready answers %d", status)
	}
	if status := get(t, "http://"+g.governor+"/health"); status != http.StatusOK {
		t.Errorf("/health answers %d", status)
	}
	if status := get(t, "http://"+g.address+"/socket.io/?EIO=4&transport=polling"); status != http.StatusServiceUnavailable {
		t.Errorf("a client is answered %d", status)
	}
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr(late); err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	g.ready(g.governor, 30*time.Second)
	if status := get(t, "http://"+g.address+"/socket.io/?EIO=4&transport=polling"); status != http.StatusOK {
		t.Errorf("a client is answered %d", status)
	}
	if err := g.stop(30 * time.Second); err != nil {
		t.Errorf("it left with %v", err)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // read to its end
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode
}

// TestTheOperationsPortShowsMetricsAndNoEnvironment looks at what dashboards
// rely on, and for what must not be there.
func TestTheOperationsPortShowsMetricsAndNoEnvironment(t *testing.T) {
	c := newCluster(t, 1, 1)
	for _, path := range []string{"/env/info", "/config/json", "/jobs", "/job/list", "/debug/pprof/cmdline"} {
		if status := get(t, "http://"+c.gateways[0].governor+path); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, path := range []string{"/metrics", "/health", "/debug/pprof/symbol", "/drain"} {
			r, err := http.NewRequest(method, "http://"+c.gateways[0].governor+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close() // nothing is read
			if answer.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s answers %d", method, path, answer.StatusCode)
			}
		}
	}
	for governor, names := range map[string][]string{
		c.gateways[0].governor: {
			"ego_build_info", "sluice_gateway_connects_total", "sluice_gateway_pushes_total", "sluice_gateway_dropped_total",
			"sluice_transport_", "sluice_bus_", "sluice_session_", "sluice_stream_", "sluice_replica_", "sluice_mesh_",
		},
		c.apis[0].governor: {"ego_build_info", "sluice_api_", "sluice_bus_", "sluice_mesh_"},
	} {
		text := body(t, "http://"+governor+"/metrics")
		for _, name := range names {
			if !strings.Contains(text, "\n"+name) {
				t.Errorf("%s has no metric %s", governor, name)
			}
		}
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // read to its end
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
