package edge

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap/zapcore"
)

// patience bounds every wait of the tests: how long until they give up, and not
// how fast anything is.
const patience = time.Minute

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
}

// world is a port that serves, with a handler that tells who asks.
type world struct {
	t        testing.TB
	port     *Port
	tls      *TLS
	address  string
	handed   atomic.Int64 // connections that net/http has got
	listener *Listener
}

// newWorld listens. With certificates in cfg it speaks TLS.
func newWorld(t testing.TB, change func(*Config), handler http.HandlerFunc) *world {
	t.Helper()
	cfg := DefaultConfig()
	cfg.HeaderTimeout = patience
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }
	}
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, port: NewPort(cfg, NewMetrics(prometheus.NewRegistry()), quiet()), address: inner.Addr().String()}
	listener := w.port.Listen(inner.(*net.TCPListener))
	w.listener = listener
	server := w.port.Server(handler)
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.handed.Add(1)
		}
	}
	var secure Secure
	if cfg.TLS() {
		if w.tls, err = w.port.TLS(); err != nil {
			t.Fatal(err)
		}
		secure = func(conn net.Conn) *tls.Conn { return tls.Server(conn, w.tls.Config()) }
	}
	listener.Upgrades(server.Handler, secure)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
		eventually(t, "all connections to be counted as left", func() bool { return w.port.table.Total() == 0 })
		eventually(t, "all slots to be given back", func() bool { return len(w.port.slots.free) == 0 })
	})
	return w
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := w.tryDial()
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// tryDial fails when the connection is closed before it is looked at.
func (w *world) tryDial() (net.Conn, error) {
	conn, err := net.Dial("tcp4", w.address)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// once connects and asks; 0 when it was refused before.
func (w *world) once(text string) (status int) {
	w.t.Helper()
	conn, err := w.tryDial()
	if err != nil {
		return 0
	}
	status, _ = ask(w.t, conn, text)
	return status
}

func (w *world) refused(v Verdict) int {
	return counted(w.t, w.port.m.refused.WithLabelValues(string(v)))
}

// tell writes the first piece of what conn has to say, and waits until it has
// been read: it was not all, so net/http has got the connection.
func (w *world) tell(conn net.Conn, piece string) {
	w.t.Helper()
	before := w.handed.Load()
	io.WriteString(conn, piece)
	eventually(w.t, "net/http to go on with the connection", func() bool { return w.handed.Load() > before })
}

const simple = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// ask sends text and returns the status and the body of the answer; 0 when the
// connection was closed instead.
func ask(t testing.TB, conn net.Conn, text string) (status int, body string) {
	t.Helper()
	io.WriteString(conn, text) // who does not take it has closed
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, strings.TrimSpace(string(b))
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

func counted(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}
