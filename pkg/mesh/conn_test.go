package mesh

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

func TestTheCalleesEndIsANetConn(t *testing.T) {
	// nettest tries most on the first of the two.
	for name, first := range map[string]func(client, callee net.Conn) (net.Conn, net.Conn){
		"callee": func(client, callee net.Conn) (net.Conn, net.Conn) { return callee, client },
		"client": func(client, callee net.Conn) (net.Conn, net.Conn) { return client, callee },
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				client, callee, e, _, _ := open(t, testConfig())
				c1, c2 = first(client, callee)
				return c1, c2, func() {
					client.Close()
					callee.Close()
					if err := e.result(t); err != nil {
						t.Error(err)
					}
				}, nil
			})
		})
	}
}

func TestADeadlineCanBeMovedAndRemoved(t *testing.T) {
	_, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	read := func() error { _, err := callee.Read(make([]byte, 1)); return err }
	for range 3 {
		_ = callee.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read: %v", err)
		}
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("and again: %v", err)
		}
	}
	_ = callee.SetReadDeadline(time.Now().Add(-time.Second))
	if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("in the past: %v", err)
	}
	_ = callee.SetReadDeadline(time.Time{})
	ended := make(chan error, 1)
	go func() { ended <- read() }()
	select {
	case err := <-ended:
		t.Errorf("without a deadline: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	callee.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestAnOldDeadlineDoesNotHitANewOne(t *testing.T) {
	_, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	c := callee.(*conn)
	// The timer of the first has fired and waits for the lock while the second
	// is set.
	c.mu.Lock()
	c.rdl.setLocked(time.Now().Add(time.Millisecond), &c.readable)
	time.Sleep(20 * time.Millisecond)
	c.rdl.setLocked(time.Now().Add(time.Hour), &c.readable)
	c.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rdl.passed {
		t.Error("the new deadline has passed")
	}
}

func TestTheCalleesEndHasTheClientsAddress(t *testing.T) {
	client, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	if got, want := callee.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr = %s, want %s", got, want)
	}
	if _, ok := callee.RemoteAddr().(*net.TCPAddr); !ok {
		t.Errorf("RemoteAddr is a %T", callee.RemoteAddr())
	}
}

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelLinger = time.Hour
	client, callee, e, p, _ := open(t, cfg)
	const size = 8 << 20
	go func() {
		_, _ = callee.Write(make([]byte, size))
		callee.Close()
	}()
	if n, err := io.Copy(io.Discard, client); n != size || err != nil {
		t.Errorf("client read %d bytes, %v", n, err)
	}
	eventually(t, "the callee's side to be freed", func() bool { return value(p.m.tunnels.WithLabelValues("callee")) == 0 })
	client.Close()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestASlowClientHoldsBoundedMemory(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelLinger = 50 * time.Millisecond
	client, callee, e, p, _ := open(t, cfg)
	_ = client.SetReadBuffer(4 << 10)
	before := heap()
	// The kernel's buffers take some megabytes; what counts is that it ends, and
	// that our side does not grow.
	block := make([]byte, 64<<10)
	var written int
	for written < 256<<20 {
		_ = callee.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := callee.Write(block)
		written += n
		if err != nil {
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Fatal(err)
			}
			break
		}
	}
	if written >= 256<<20 {
		t.Fatal("writes to a client that reads nothing never blocked")
	}
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("heap grew by %d bytes while %d were written", grown, written)
	}
	t.Logf("%d bytes taken, heap grew by %d", written, int64(heap())-int64(before))

	// The callee gives up: its close does not wait for the client for ever.
	callee.Close()
	eventually(t, "the callee's side to be freed", func() bool { return value(p.m.tunnels.WithLabelValues("callee")) == 0 })
	client.Close()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestASlowCalleeHoldsBoundedMemory(t *testing.T) {
	client, callee, e, _, _ := open(t, testConfig())
	before := heap()
	block := make([]byte, 64<<10)
	var written int
	for written < 256<<20 {
		_ = client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := client.Write(block)
		written += n
		if err != nil {
			break
		}
	}
	if written >= 256<<20 {
		t.Fatal("writes to a callee that reads nothing never blocked")
	}
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("heap grew by %d bytes while %d were written", grown, written)
	}
	callee.Close()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestAStalledTunnelDoesNotStallTheOthers(t *testing.T) {
	conns := make(chan net.Conn, 1)
	e, _, _ := pair(t, testConfig(), switched(conns))
	var stalled []net.Conn
	for range 5 {
		upgrade(t, e, "") // and reads no more
		nc := <-conns
		stalled = append(stalled, nc)
		go func() {
			for err := error(nil); err == nil; {
				_, err = nc.Write(make([]byte, 64<<10))
			}
		}()
	}
	_, br, _ := upgrade(t, e, "")
	callee := <-conns
	go func() { _, _ = callee.Write(make([]byte, 8<<20)) }()
	if n, err := io.CopyN(io.Discard, br, 8<<20); err != nil {
		t.Errorf("%d bytes of the healthy one, then %v", n, err)
	}
	for _, nc := range append(stalled, callee) {
		nc.Close()
	}
}

func TestAClientThatTakesNothingIsCut(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelStall = 100 * time.Millisecond
	_, callee, e, _, _ := open(t, cfg)
	for err := error(nil); err == nil; {
		_, err = callee.Write(make([]byte, 64<<10))
	}
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
