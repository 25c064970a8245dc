package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
	"sluice/pkg/echo"
)

const echoToken = "e2e-echo-token-0123456789"

// echoTOML is over gatewayTOML and apiTOML what the echo's clients need.
const (
	echoGatewayTOML = `
[transport]
ping_interval = "2s"
ping_timeout = "4s"

[gateway]
drain_window = "500ms"
namespaces = ["/", "/custom"]

[gateway.address]
max_sessions = 0
new_per_second = 0.0

[[gateway.refuse]]
namespace = "/refused"
message = "Not authorized"
data = '{"code":"E1"}'

[stop]
timeout = "25s"

[logger.default]
level = "info"

[auth]
anonymous = true
default_type = "web"

[[auth.type]]
name = "web"
algorithms = ["HS256"]
secret = "` + jwtSecret + `"
`
	echoAPITOML = `
[logger.default]
level = "info"

[[api.component]]
name = "echo"
tokens = ["` + echoToken + `"]
methods = ["*"]
documents = ["*"]
events = ["*"]
namespaces = ["*"]
presence = true

[[api.component]]
name = "tests"
tokens = ["` + componentToken + `"]
methods = ["*"]
documents = ["*"]
events = ["call-me"]
namespaces = ["*"]
`
)

// newEchoCluster is two gateways, an API, the echo component, and one that
// calls whoever asks for it.
func newEchoCluster(t *testing.T) *cluster {
	c := newClusterOf(t, echoGatewayTOML, echoAPITOML, 2, 1)
	log := elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithLevel("error"))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() {
		ended <- echo.Run(ctx, echo.Options{Address: c.apis[0].address, Component: "echo", Token: echoToken, Log: log})
	}()
	caller := c.dial(c.apis[0])
	go func() { ended <- caller.Subscribe(ctx, callMe(caller)) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// callMe asks the socket that an event is from, and tells it its own answer.
func callMe(c *component.Client) component.Handler {
	return func(ctx context.Context, e *component.Event) error {
		answers, err := c.Call(ctx, component.Call{
			Socket: e.Socket(), Namespace: e.Namespace(), Event: "question", Payload: e.Payload(),
		})
		if err != nil {
			return err
		}
		for _, a := range answers {
			if a.Outcome != component.Acked {
				return fmt.Errorf("call: %s", a.Outcome)
			}
			if _, err := c.Push(ctx, component.Push{
				Sockets: []string{a.Socket}, Namespace: e.Namespace(), Event: "called", Payload: a.Payload, Key: e.Mid(),
			}); err != nil {
				return err
			}
		}
		return nil
	}
}

// matrixResult is one line of clients/matrix.mjs.
type matrixResult struct {
	Way, Client, Parser, Transport, Check, Error string
	Ms                                           int
	Holding                                      bool
}

// TestEveryOfficialClient runs the clients that people use, as they are: every
// generation, parser and transport, on one gateway and on two behind a balancer
// without affinity. SLUICE_MATRIX names a file for the table of what was done.
func TestEveryOfficialClient(t *testing.T) {
	c := newEchoCluster(t)
	task, err := json.Marshal(map[string]any{"token": token(t, "ann"), "ways": map[string]string{
		"one gateway": "http://" + c.gateways[0].address, "two, round robin": c.balancer.url(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "clients/matrix.mjs", string(task))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var results []matrixResult
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r matrixResult
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("%v: %s", err, lines.Text())
			continue
		}
		if !r.Holding {
			results = append(results, r)
			continue
		}
		for _, g := range c.gateways {
			if err := g.stop(20 * time.Second); err != nil {
				t.Errorf("%s: %v", g.name, err)
			}
			c.restart(g)
		}
		if _, err := fmt.Fprintln(in, "restarted"); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("clients: %v", err)
	}
	checkMatrix(t, results)
	for _, pattern := range []string{"client:*", "user:clients:*"} {
		eventually(t, 15*time.Second, "no keys of "+pattern, func() bool { return len(c.back.keys(t, pattern)) == 0 })
	}
}

// matrixChecks and matrixCombos are how much is done, so that what is left out
// by mistake is noticed.
const (
	matrixChecks = 12
	matrixCombos = 2 * 3 * (1 + 2 + 2)
)

func checkMatrix(t *testing.T, results []matrixResult) {
	t.Helper()
	bad := map[string]bool{}
	for _, r := range results {
		if r.Error != "" {
			bad[r.row()] = true
			t.Errorf("%s, %s, %s, %s: %s: %s", r.Way, r.Client, r.Parser, r.Transport, r.Check, r.Error)
		}
	}
	if len(results) != matrixChecks*matrixCombos {
		t.Errorf("%d checks were made, want %d", len(results), matrixChecks*matrixCombos)
	}
	if file := os.Getenv("SLUICE_MATRIX"); file != "" {
		writeMatrix(t, file, results, bad)
	}
}

func (r matrixResult) row() string {
	return fmt.Sprintf("| socket.io-client %s | %s | %s | %s |", r.Client, r.Parser, r.Transport, r.Way)
}

func writeMatrix(t *testing.T, file string, results []matrixResult, bad map[string]bool) {
	t.Helper()
	var text strings.Builder
	text.WriteString("| client | parser | transport | gateways | checks |\n|---|---|---|---|---|\n")
	count := map[string]int{}
	var rows []string
	for _, r := range results {
		if count[r.row()]++; count[r.row()] == 1 {
			rows = append(rows, r.row())
		}
	}
	for _, row := range rows {
		mark := fmt.Sprintf("%d ok", count[row])
		if bad[row] {
			mark = "failed"
		}
		fmt.Fprintf(&text, "%s %s |\n", row, mark)
	}
	if err := os.WriteFile(filepath.Clean(file), []byte(text.String()), 0o600); err != nil {
		t.Error(err)
	}
}
