package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/edge"
)

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
}

// writePair writes a new self-signed certificate with a serial number.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// serial connects over TLS and returns the serial number that the server shows.
func serial(t *testing.T, address string) int64 {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}} // self-signed
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	state := conn.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("speaks %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}

func TestACertificateIsReplacedWhileServing(t *testing.T) {
	dir := t.TempDir()
	cfg := edge.DefaultConfig()
	cfg.CertFile, cfg.KeyFile = writePair(t, dir, 1)
	cfg.ReloadEvery = 10 * time.Millisecond
	cfg.Listen = freeAddress(t)
	e, err := newClientPort(cfg, newHealth(), edge.NewMetrics(prometheus.NewRegistry()), quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	within(t, "the first certificate", func() bool { return serial(t, cfg.Listen) == 1 })
	writePair(t, dir, 2)
	within(t, "the second certificate", func() bool { return serial(t, cfg.Listen) == 2 })
	if err := os.WriteFile(cfg.CertFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // a few looks at it
	if got := serial(t, cfg.Listen); got != 2 {
		t.Errorf("a broken file makes the server show %d", got)
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
