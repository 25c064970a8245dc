//go:build linux || darwin

package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// fewFilesEnv makes the test program a server with this many file descriptors.
const fewFilesEnv = "SLUICE_TEST_FEW_FILES"

func serveWithFewFiles() {
	limit := syscall.Rlimit{Cur: 40, Max: 40}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
	cfg := DefaultConfig()
	cfg.MaxConns = 1000 // more than it can have
	log := elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(os.Stderr), zapcore.InfoLevel)))
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	m := NewMetrics(prometheus.NewRegistry())
	port := NewPort(cfg, m, log)
	fmt.Println(inner.Addr())
	server := port.Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d", port.table.Total())
	}))
	go func() { // leaves with the test
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	listener := port.Listen(inner.(*net.TCPListener))
	listener.Upgrades(server.Handler, nil)
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}

type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func TestAPortWithoutFileDescriptorsShedsAndRecovers(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fewFilesEnv+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, address: strings.TrimSpace(address)}
	first := w.dial()
	if status, _ := ask(t, first, simple); status != 200 {
		t.Fatalf("the first is answered %d", status)
	}
	var held []net.Conn
	shed := 0
	for range 100 {
		conn, err := w.tryDial()
		if err != nil {
			shed++
			continue
		}
		start := time.Now()
		if status, _ := ask(t, conn, simple); status == 200 {
			held = append(held, conn)
		} else {
			shed++
		}
		if took := time.Since(start); took > patience/2 {
			t.Fatalf("a client hangs for %v", took)
		}
	}
	if len(held) < 10 || shed < 50 {
		t.Errorf("%d are served and %d refused", len(held), shed)
	}
	if status, _ := ask(t, first, simple); status != 200 {
		t.Errorf("one that was there is answered %d", status)
	}
	if n := strings.Count(said.String(), "connections are refused"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	for _, conn := range held {
		conn.Close()
	}
	eventually(t, "room again", func() bool { return w.once(simple) == 200 })
}
