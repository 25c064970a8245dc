package app

import (
	"context"
	"crypto/tls"
	"io"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/devcert"
	"sluice/pkg/edge"
)

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
}

// writePair writes a new certificate of that name.
func writePair(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	return devcert.Files(t, devcert.Make(t, nil, name, "127.0.0.1"), dir, "server")
}

// shown connects over TLS and returns the name that the server shows.
func shown(t *testing.T, address string) string {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}} // self-signed
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	state := conn.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("speaks %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].Subject.CommonName
}

func TestACertificateIsReplacedWhileServing(t *testing.T) {
	dir := t.TempDir()
	cfg := edge.DefaultConfig()
	cfg.CertFile, cfg.KeyFile = writePair(t, dir, "first")
	cfg.ReloadEvery = 10 * time.Millisecond
	cfg.Listen = freeAddress(t)
	e, err := newClientPort(cfg, newHealth(), edge.NewMetrics(prometheus.NewRegistry()), quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	within(t, "the first certificate", func() bool { return shown(t, cfg.Listen) == "first" })
	writePair(t, dir, "second")
	within(t, "the second certificate", func() bool { return shown(t, cfg.Listen) == "second" })
	if err := os.WriteFile(cfg.CertFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // a few looks at it
	if got := shown(t, cfg.Listen); got != "second" {
		t.Errorf("a broken file makes the server show %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheClientPortAnswersBeforeTheGatewayIsThere(t *testing.T) {
	cfg := edge.DefaultConfig()
	cfg.Listen = freeAddress(t)
	e, err := newClientPort(cfg, newHealth(), edge.NewMetrics(prometheus.NewRegistry()), quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	status := func() (code int, retry string) {
		r, err := http.Get("http://" + cfg.Listen + "/socket.io/")
		if err != nil {
			return 0, ""
		}
		defer func() { _ = r.Body.Close() }() // read to its end
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		return r.StatusCode, r.Header.Get("Retry-After")
	}
	within(t, "an answer", func() bool { code, retry := status(); return code == 503 && retry != "" })
	e.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if code, _ := status(); code != http.StatusTeapot {
		t.Errorf("the gateway's answer is %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it only had to be in the way
	err = openPort("governor port", l.Addr().String(), func() error { t.Error("opened"); return nil })
	if err == nil {
		t.Error("no error")
	}
	free := freeAddress(t)
	if err := openPort("x", free, func() error { panic("start error") }); err == nil || err.Error() != "x: start error" {
		t.Errorf("a panic becomes %v", err)
	}
}

// freeAddress is one of loopback that was free a moment ago, with a port below
// those that the system gives to connections, which would take it meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+random.IntN(12_000))))
		if err != nil {
			continue
		}
		_ = l.Close() // it served its purpose
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
