package bench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/stand"
)

func TestFlagsAndScenariosMayStandInAnyOrder(t *testing.T) {
	var o runOptions
	err := o.parse([]string{"s1@5", "-manage", "2", "s2", "-rounds", "3", "-compare", "a.b=1,2", "-duration", "5s"})
	if err != nil || o.manage != 2 || o.rounds != 3 || strings.Join(o.scenario, " ") != "s1@5 s2" || o.scale.Duration != 5*time.Second {
		t.Errorf("%+v: %v", o, err)
	}
}

func TestWrongFlagsAreRefusedBeforeAnythingStarts(t *testing.T) {
	for args, want := range map[string]string{
		"-manage 1":                            "no scenario is named",
		"s1":                                   "no target",
		"-manage -1 s1":                        "-manage: must be from 1 to 100",
		"-manage 101 s1":                       "-manage: must be from 1 to 100",
		"-manage 1 -sockets 0 s1":              "-sockets: must be above 0",
		"-manage 1 -sockets -5 s1":             "-sockets: must be above 0",
		"-manage 1 -sockets many s1":           "-sockets",
		"-manage 1 -duration -5s s1":           "-duration: must be above 0",
		"-manage 1 -every 0s s1":               "-every: must be above 0",
		"-manage 1 -connect-rate -1 s1":        "-connect-rate: must be above 0",
		"-manage 1 -workers -1 s1":             "-workers: must be from 1 to 100",
		"-manage 1 -workers 101 s1":            "-workers: must be from 1 to 100",
		"-manage 1 -compare a=1,2 -rounds 0 s": "-rounds: must be above 0",
		"-manage 1 -rounds 2 s1":               "-rounds: needs -compare",
		"-url a:1 -tls s1":                     "-tls: needs -manage",
		"-url a:1 -given s1":                   "-given: needs -manage",
		"-url a:1 -compare a=1,2 s1":           "-compare: needs -manage",
		"-manage 1 -server-pid 7 s1":           "-server-pid: needs -url",
		"-manage 1 -token x s1":                "-token: needs -url",
		"-manage 1 -ca x s1":                   "-ca: needs -url or -stock",
		"-manage 1 -stock-pid 7 s1":            "-stock-pid: needs -stock",
	} {
		var o runOptions
		if err := o.parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	var o runOptions
	err := o.parse(strings.Fields("-sockets -1 -duration -1s -workers -1 -tls"))
	if err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("not everything is said at once: %v", err)
	}
}

func TestWrongArgumentsEndWith2(t *testing.T) {
	for _, args := range []string{
		"nonsense", "list s1", "show", "show nothing", "run", "run -nonsense s1", "run -manage 1 nothing", "run -url a s1",
		"run -kind other -url a:1 s1", "stand -lose x", "stand more", "run -url a:1 -token t -server-pid x s1",
	} {
		if code := Main(strings.Fields(args)); code != 2 {
			t.Errorf("%s ends with %d", args, code)
		}
	}
}

// TestAReportThatCannotBeWrittenIsKnownBefore: nothing is measured for it.
func TestAReportThatCannotBeWrittenIsKnownBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := runOptions{out: filepath.Join(file, "below")}
	if err := o.prepare(time.Now()); err == nil || !strings.Contains(err.Error(), "-out") {
		t.Errorf("a folder below a file: %v", err)
	}
	o = runOptions{out: filepath.Join(t.TempDir(), "new", "folder")}
	if err := o.prepare(time.Now()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(o.out); err != nil || len(left) != 0 {
		t.Errorf("%v is left in it, %v", left, err)
	}
}

func TestAFullDiskKeepsNoOtherFileFromBeingWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	o := runOptions{out: t.TempDir()}
	if err := os.Symlink("/dev/full", filepath.Join(o.out, "report.html")); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	err := o.write(&report.Report{Runs: []report.Run{{Scenario: "mine", Target: "there"}}}, &table)
	if err == nil || !strings.Contains(err.Error(), "report.html is not complete") {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(filepath.Join(o.out, "report.json"))
	if err != nil || !bytes.Contains(text, []byte("mine")) || !strings.Contains(table.String(), "mine") || strings.Contains(table.String(), "report.html") {
		t.Errorf("%s, %v: %s", text, err, table.String())
	}
}

func TestAServerThatIsDownIsSaidAtOnce(t *testing.T) {
	_, up := standFor(t, stand.Faults{})
	down := Target{Kind: kindStock, Servers: []string{up.Servers[0], "127.0.0.1:1"}}
	if err := down.complete(); err != nil {
		t.Fatal(err)
	}
	s := quick(func(*Scenario) {})
	c := &conductor{job: job{scenario: s, target: &down, show: func(progress) {}}}
	if _, err := c.conduct(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 cannot be reached") || strings.Contains(err.Error(), up.Servers[0]) {
		t.Errorf("%v", err)
	}
	if errors.Is(wrong(nil), errArguments) {
		t.Error("nothing is wrong")
	}
}
