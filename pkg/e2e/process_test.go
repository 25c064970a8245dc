package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/pkg/bench/launch"
)

// binaries holds the programs, built once for all tests.
var binaries struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of a built program.
func program(t *testing.T, name string) string {
	t.Helper()
	binaries.once.Do(func() {
		binaries.dir, binaries.err = os.MkdirTemp("", "sluice-e2e-")
		if binaries.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", binaries.dir, "sluice/cmd/...").CombinedOutput()
		if err != nil {
			binaries.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return filepath.Join(binaries.dir, name)
}

// process is a program that runs.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	log   *logBuffer
	ended chan struct{}
	err   error // of Wait, after ended
}

// start runs a program with settings in the environment. At the end of the
// test it is asked to leave, and its log is shown if the test failed.
func start(t *testing.T, name, bin, config string, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, log: &logBuffer{}, ended: make(chan struct{})}
	p.cmd = exec.Command(bin, append([]string{"-config", config}, args...)...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = os.Environ()
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(30 * time.Second):
			t.Errorf("%s did not leave within 30 s", name)
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
		if t.Failed() {
			t.Logf("--- %s\n%s", name, p.log.String())
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.ended:
	default:
		_ = p.cmd.Process.Signal(s) // it may have ended this moment
	}
}

// stop asks the program to leave and returns how it left.
func (p *process) stop(within time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(within):
		return fmt.Errorf("%s did not leave within %v", p.name, within)
	}
}

// ready waits until the operations port says so.
func (p *process) ready(governor string, within time.Duration) {
	p.t.Helper()
	eventually(p.t, within, p.name+" is ready", func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended: %v\n%s", p.name, p.err, p.log.String())
		default:
		}
		r, err := http.Get("http://" + governor + "/ready")
		if err != nil {
			return false
		}
		_ = r.Body.Close() // nothing is read
		return r.StatusCode == http.StatusOK
	})
}

// eventually polls until ok, and fails the test when it takes too long.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := launch.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startTalking starts a program that is spoken to line by line. Its errors are
// shown as they come, unless cmd says where to; ending and waiting for it is up
// to the caller.
func startTalking(t *testing.T, cmd *exec.Cmd) (in io.WriteCloser, out io.ReadCloser) {
	t.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// metric adds up all series of name in the text of an operations port's /metrics.
func metric(t *testing.T, text, name string) (total float64) {
	t.Helper()
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, name)
		if !found || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		fields := strings.Fields(rest)
		n, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		total += n
	}
	return total
}
