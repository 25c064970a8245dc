package edge

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sluice/pkg/devcert"
)

// stormEnv makes the test program a storm of handshakes against an address.
const stormEnv = "SLUICE_TEST_STORM"

// storm lets a server compute handshakes that are never finished: that costs
// next to nothing here, so that the server's processor time is what it takes.
func storm(address string) {
	hello := helloBytes()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // leaves with the test
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	for range 400 {
		go func() {
			buf := make([]byte, 4096)
			for ctx.Err() == nil {
				conn, err := net.Dial("tcp4", address)
				if err != nil {
					continue
				}
				conn.SetDeadline(time.Now().Add(patience))
				conn.Write(hello)
				conn.Read(buf)
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
		}()
	}
	<-ctx.Done()
}

// helloBytes is a client's first flight.
func helloBytes() []byte {
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	buf := make([]byte, 4096)
	n, _ := far.Read(buf)
	far.Close()
	return buf[:n]
}

// BenchmarkHandshakeStorm tells how long a connection that is there waits for its
// answers while handshakes storm in, by how many of those may compute at once.
// Without a bound it may not end.
func BenchmarkHandshakeStorm(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // the dearer kind
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "one"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	certFile, keyFile := devcert.Files(b, pair, b.TempDir(), "rsa")
	for _, slots := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(slots), func(b *testing.B) {
			var shaken atomic.Int64
			w := newWorld(b, func(c *Config) {
				c.CertFile, c.KeyFile, c.MaxHandshakes = certFile, keyFile, slots
				c.ConnsPerSecond, c.MaxConnsPerAddress = 0, 0
			}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") })
			enter := w.tls.enter
			w.tls.enter = func(hello *tls.ClientHelloInfo) error { shaken.Add(1); return enter(hello) }
			conn := tls.Client(w.dial(), trusting())
			conn.SetDeadline(time.Now().Add(time.Minute))
			in := bufio.NewReader(conn)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), stormEnv+"="+w.address)
			stdin, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				b.Fatal(err)
			}
			defer func() { stdin.Close(); cmd.Wait() }()
			time.Sleep(500 * time.Millisecond)
			shaken.Store(0)
			begun := time.Now()
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				io.WriteString(conn, simple)
				r, err := http.ReadResponse(in, nil)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, r.Body)
				took = append(took, time.Since(start))
				time.Sleep(5 * time.Millisecond)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(shaken.Load())/2/time.Since(begun).Seconds(), "handshakes/s")
		})
	}
}
