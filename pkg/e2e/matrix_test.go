package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/component"
	"sluice/pkg/echo"
)

const echoToken = "e2e-echo-token-0123456789"

// echoTOML is over gatewayTOML and apiTOML what the echo's clients need.
const (
	echoGatewayTOML = `
[transport]
ping_interval = "2s"
ping_timeout = "20s"
heartbeat_grow_after = 2
heartbeat_start = "500ms"
heartbeat_step = "500ms"

[gateway]
drain_window = "500ms"
namespaces = ["/", "/custom"]

[edge]
conns_per_second = 0.0
max_conns_per_address = 0

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
	c.acquainted(3)
	log := elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
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

// acquainted waits until every program knows all of them: a directory is as old
// as its process's last heartbeat, and an answer to a gateway that it does not
// know is lost.
func (c *cluster) acquainted(members int) {
	c.t.Helper()
	var governors []string
	for _, g := range c.gateways {
		governors = append(governors, g.governor)
	}
	for _, a := range c.apis {
		governors = append(governors, a.governor)
	}
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^sluice_replica_members\{[^}]*state="up"[^}]*\} %d$`, members))
	for _, governor := range governors {
		eventually(c.t, 30*time.Second, governor+" knows all", func() bool {
			r, err := http.Get("http://" + governor + "/metrics")
			if err != nil {
				return false
			}
			text, err := io.ReadAll(r.Body)
			return errors.Join(err, r.Body.Close()) == nil && line.Match(text)
		})
	}
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
	results := runClients(t, []string{"node", "clients/matrix.mjs", c.echoTask()}, func() {
		for _, g := range c.gateways {
			if err := g.stop(20 * time.Second); err != nil {
				t.Errorf("%s: %v", g.name, err)
			}
			c.restart(g)
		}
		c.acquainted(3)
	})
	checkMatrix(t, results, matrixChecks*matrixCombos)
	// The clients' process ends without waiting for upgrades that have begun. What
	// was between two polls at that moment is noticed by the heartbeat.
	for _, pattern := range []string{"client:*", "user:clients:*"} {
		eventually(t, time.Minute, "no keys of "+pattern, func() bool { return len(c.back.keys(t, pattern)) == 0 })
	}
}

// echoTask tells the clients where to connect, and as whom.
func (c *cluster) echoTask() string {
	c.t.Helper()
	task, err := json.Marshal(map[string]any{"token": token(c.t, "ann"), "ways": map[string]string{
		"one": "http://" + c.gateways[0].address, "two, round robin": c.balancer.url(),
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(task)
}

// runClients runs a program of clients to its end. When it holds connections,
// restart is called, and then it is told so.
func runClients(t *testing.T, command []string, restart func()) []matrixResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	in, out := startTalking(t, cmd)
	var results []matrixResult
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r matrixResult
		switch err := json.Unmarshal(lines.Bytes(), &r); {
		case err != nil:
			t.Errorf("%v: %s", err, lines.Text())
		case !r.Holding:
			results = append(results, r)
		default:
			restart()
			if _, err := fmt.Fprintln(in, "restarted"); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("clients: %v", err)
	}
	return results
}

// TestAnIndependentClient runs python-socketio, which shares no code with the
// official clients, in the same places.
func TestAnIndependentClient(t *testing.T) {
	install := exec.Command("../../scripts/python-client.sh")
	install.Stderr = os.Stderr
	out, err := install.Output()
	if err != nil {
		t.Fatal(err)
	}
	c := newEchoCluster(t)
	results := runClients(t, []string{strings.TrimSpace(string(out)), "clients/python/basics.py", c.echoTask()}, nil)
	const checks, combos = 8, 2 * 2 * 3
	checkMatrix(t, results, checks*combos)
}

// matrixChecks and matrixCombos are how much is done, so that what is left out
// by mistake is noticed.
const (
	matrixChecks = 12
	matrixCombos = 2 * 3 * (2 + 2 + 2)
)

func checkMatrix(t *testing.T, results []matrixResult, want int) {
	t.Helper()
	bad := map[string]bool{}
	for _, r := range results {
		if r.Error != "" {
			bad[r.row()] = true
			t.Errorf("%s, %s, %s, %s: %s: %s", r.Way, r.Client, r.Parser, r.Transport, r.Check, r.Error)
		}
	}
	if len(results) != want {
		t.Errorf("%d checks were made, want %d", len(results), want)
	}
	if file := os.Getenv("SLUICE_MATRIX"); file != "" {
		writeMatrix(t, file, results, bad)
	}
}

func (r matrixResult) row() string {
	return fmt.Sprintf("| %s | %s | %s | %s |", r.Client, r.Parser, r.Transport, r.Way)
}

// writeMatrix appends a line for each kind of client to a table.
func writeMatrix(t *testing.T, file string, results []matrixResult, bad map[string]bool) {
	t.Helper()
	var text strings.Builder
	if _, err := os.Stat(file); err != nil {
		text.WriteString("| client | parser | transport | gateways | checks |\n|---|---|---|---|---|\n")
	}
	count := map[string]int{}
	for _, r := range results {
		count[r.row()]++
	}
	for _, row := range slices.Sorted(maps.Keys(count)) {
		mark := fmt.Sprintf("%d ok", count[row])
		if bad[row] {
			mark = "failed"
		}
		fmt.Fprintf(&text, "%s %s |\n", row, mark)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text.String())
	if err := errors.Join(err, f.Close()); err != nil {
		t.Error(err)
	}
}
