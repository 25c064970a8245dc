package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stockServer is Node's Socket.IO with the handlers that ws-bench asks for.
type stockServer struct {
	URL     string
	Metrics string
	PID     int
}

// stock starts one that leaves a receiver out of every so manieth push; 0 is
// faithful.
func stock(t *testing.T, lose int) stockServer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--expose-gc", "clients/stock.mjs", strconv.Itoa(lose))
	in, out := startTalking(t, cmd)
	t.Cleanup(func() {
		_ = in.Close() // its end
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	var s stockServer
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	if err != nil {
		t.Fatalf("the stock server says %q: %v", line, err)
	}
	return s
}

// benchRun is what the test reads of a report.
type benchRun struct {
	Target   string
	Problems []string
	Messages struct{ Pushed, Expected, Delivered, Lost, Duplicates, Foreign, Late uint64 }
	Receipts struct {
		Sent, Received uint64
		Lost           int64
	}
	Upstream struct {
		Sent, Received uint64
		Lost           int64
	}
	Memory struct{ Idle int64 }
	CPU    struct {
		PerConnect float64 `json:"per_connect_us"`
	}
}

// wsBench runs a scenario, and gives its exit code, its table and its report.
func wsBench(t *testing.T, scenario string, args ...string) (code int, table string, runs []benchRun) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "small.toml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "ws-bench"), append(append([]string{"run", "-out", dir}, args...), file)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	var report struct{ Runs []benchRun }
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, log.Bytes())
	}
	return cmd.ProcessState.ExitCode(), string(out), report.Runs
}

// TestSluiceAndAStockServerAreCountedAlike drives both in one run: everybody
// gets messages to documents and answers them, and sends events and waits for
// their answers. Nobody leaves: Node forgets an event that comes just before its
// client's goodbye, which ws-bench counts as lost.
func TestSluiceAndAStockServerAreCountedAlike(t *testing.T) {
	s := stock(t, 0)
	code, table, runs := wsBench(t, `
title = "Small"
[clients]
sockets = 120
documents = 6
[load]
idle = "0s"
duration = "4s"
settle = "20s"
[push]
every = "100ms"
to = "each"
payload = "article"
receipts = true
[upstream]
every = "1s"
ack = true
`, "-manage", "1", "-stock", s.URL, "-stock-pid", strconv.Itoa(s.PID), "-stock-metrics", s.Metrics)
	if code != 0 || len(runs) != 2 {
		t.Fatalf("exit code %d, %d runs:\n%s", code, len(runs), table)
	}
	if !strings.Contains(table, "socket.io") || !strings.Contains(table, "sluice") {
		t.Errorf("they are not side by side:\n%s", table)
	}
	for _, r := range runs {
		m := &r.Messages
		if len(r.Problems) != 0 || m.Pushed < 10 || m.Expected < 10*m.Pushed || m.Lost+m.Duplicates+m.Foreign+m.Late != 0 || m.Delivered < m.Expected {
			t.Errorf("%s: %v: %+v", r.Target, r.Problems, *m)
		}
		if r.Receipts.Sent != m.Delivered || r.Receipts.Received != r.Receipts.Sent || r.Upstream.Sent < 120 || r.Upstream.Received != r.Upstream.Sent {
			t.Errorf("%s: %+v, %+v", r.Target, r.Receipts, r.Upstream)
		}
		if r.Memory.Idle == 0 || r.CPU.PerConnect == 0 {
			t.Errorf("%s: its process was not seen: %+v, %+v", r.Target, r.Memory, r.CPU)
		}
	}
}

// TestWhatAStockServerLosesIsFound counts to the message, and to single sockets.
func TestWhatAStockServerLosesIsFound(t *testing.T) {
	s := stock(t, 7)
	scenario := `
title = "Lossy"
[clients]
sockets = 100
documents = 5
[load]
idle = "0s"
duration = "3s"
settle = "1s"
[push]
every = "20ms"
bytes = 50
to = `
	code, _, runs := wsBench(t, scenario+`"each"`, "-stock", s.URL)
	if code != 3 || len(runs) != 1 {
		t.Fatalf("exit code %d, %d runs", code, len(runs))
	}
	m := &runs[0].Messages
	if m.Pushed < 40 || m.Expected != 20*m.Pushed || m.Lost != m.Pushed/7 || m.Delivered != m.Expected-m.Lost || m.Duplicates+m.Foreign != 0 {
		t.Errorf("to documents: %+v", *m)
	}
	before := m.Pushed % 7 // the server counts on
	code, _, runs = wsBench(t, scenario+`"socket"`, "-stock", s.URL)
	if code != 3 || len(runs) != 1 {
		t.Fatalf("exit code %d, %d runs", code, len(runs))
	}
	if m := &runs[0].Messages; m.Pushed < 40 || m.Expected != m.Pushed || m.Lost != (m.Pushed+before)/7 || m.Foreign != 0 {
		t.Errorf("to sockets: %+v", *m)
	}
}
