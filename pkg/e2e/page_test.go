package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/pkg/component"
	"sluice/pkg/docs"
)

// devDocsToken is the secret of ws-dev's example, as its greeting says.
const devDocsToken = "development-docs-token"

// TestTwoWindowsOfThePage has a headless browser open the example's page of
// ws-dev twice, and do with it what its text proposes. The conversation is in
// pkg/docs/browser/two.mjs; what a page cannot do is done here.
func TestTwoWindowsOfThePage(t *testing.T) {
	d := startDev(t)
	chromium := browser(t)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "two.mjs")
	cmd.Dir = filepath.Join(repository(t), "pkg/docs/browser")
	cmd.Env = append(os.Environ(), "SLUICE_PAGE=http://"+d.address, "SLUICE_CHROMIUM="+chromium)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it takes its browser along
	cmd.WaitDelay = 10 * time.Second
	var told bytes.Buffer
	cmd.Stderr = &told
	in, out := startTalking(t, cmd)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "push":
			pushComment(t, d.api)
		case "stop":
			if err := d.stop(30 * time.Second); err != nil {
				t.Errorf("ws-dev left with %v", err)
			}
		case "start":
			d.start(t)
		}
		if _, err := io.WriteString(in, lines.Text()+"\n"); err != nil {
			t.Errorf("answer %q: %v", lines.Text(), err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, told.String())
	}
	t.Log(strings.TrimSpace(told.String()))
}

// browser installs one if there is none. Without it the test fails: a page that
// was not looked at is not a page that works.
func browser(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(repository(t), "scripts/chromium.sh"))
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("no browser: %v\n%s", err, told.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// pushComment does what the grpcurl line in ws-dev's greeting does.
func pushComment(t *testing.T, api string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := component.Dial(ctx, component.Options{Address: api, Component: docs.Component, Token: devDocsToken})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }() // says nothing
	if _, err := c.Push(ctx, component.Push{
		Documents: []string{"two-windows"}, Event: "docs:comment",
		Args: []any{map[string]string{"from": "shell", "text": "pushed by hand"}},
	}); err != nil {
		t.Error(err)
	}
}

// devProcess is a ws-dev on ports of its own, which stay the same over restarts.
type devProcess struct {
	*process
	address, governor, api string
	env                    map[string]string
}

func startDev(t *testing.T) *devProcess {
	t.Helper()
	ports := make([]int, 5)
	for i := range ports {
		ports[i] = freePort(t)
	}
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	d := &devProcess{address: local(ports[0]), governor: local(ports[1]), api: local(ports[3])}
	d.env = map[string]string{
		"SLUICE_CLIENT_DIR":                   filepath.Join(repository(t), "pkg/docs/page/node_modules/socket.io-client/dist"),
		"SLUICE_GATEWAY_EDGE_LISTEN":          d.address,
		"SLUICE_GATEWAY_SERVER_GOVERNOR_PORT": strconv.Itoa(ports[1]),
		"SLUICE_GATEWAY_SERVER_MESH_PORT":     strconv.Itoa(ports[2]),
		"SLUICE_API_SERVER_GRPC_PORT":         strconv.Itoa(ports[3]),
		"SLUICE_API_SERVER_GOVERNOR_PORT":     strconv.Itoa(ports[4]),
	}
	d.start(t)
	return d
}

func (d *devProcess) start(t *testing.T) {
	t.Helper()
	d.process = start(t, "ws-dev", program(t, "ws-dev"), filepath.Join(repository(t), "config/ws-dev.toml"), d.env)
	d.ready(d.governor, time.Minute)
}
