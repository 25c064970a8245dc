package edge

import (
	"crypto/tls"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestSoManyHandshakesComputeAtOnce(t *testing.T) {
	const most, clients = 2, 60
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.MaxHandshakes = most
	}, nil)
	var inside, peak atomic.Int32
	open := make(chan struct{})
	enter := w.tls.enter
	w.tls.enter = func(hello *tls.ClientHelloInfo) error {
		mine := !slotOf(hello.Conn).inside.Load()
		err := enter(hello)
		if mine && err == nil {
			if n := inside.Add(1); n > peak.Load() {
				peak.Store(n)
			}
			<-open
			inside.Add(-1)
		}
		return err
	}
	done := make(chan error, clients)
	for range clients {
		go func() {
			_, err := w.shake(trusting())
			done <- err
		}()
	}
	eventually(t, "all slots to be taken", func() bool { return inside.Load() == most })
	close(open)
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := peak.Load(); n > most {
		t.Errorf("%d at once", n)
	}
}

func TestAHandshakeWaitsNoLongerThanItMayTake(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.MaxHandshakes, c.HeaderTimeout = 1, time.Second // enough for a handshake
	}, nil)
	if err := w.port.slots.enter(); err != nil { // somebody takes long
		t.Fatal(err)
	}
	if _, err := w.shake(trusting()); err == nil {
		t.Error("it does not need a slot")
	}
	eventually(t, "the refusal to be counted", func() bool { return w.refused(HandshakeBusy) == 1 })
	w.port.slots.leave()
	if _, err := w.shake(trusting()); err != nil {
		t.Errorf("with a slot again: %v", err)
	}
}

func TestAHandshakeThatIsLeftGivesItsSlotBack(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.MaxHandshakes = 1
	}, nil)
	gone := errors.New("gone")
	for range 20 { // each leaves when it has seen the certificate
		cfg := trusting()
		cfg.VerifyConnection = func(tls.ConnectionState) error { return gone }
		if _, err := w.shake(cfg); !errors.Is(err, gone) {
			t.Fatal(err)
		}
	}
	for _, curves := range [][]tls.CurveID{nil, {tls.CurveP256}, {tls.CurveP521}} { // also with a retry
		cfg := trusting()
		cfg.CurvePreferences = curves
		if _, err := w.shake(cfg); err != nil {
			t.Errorf("%v: %v", curves, err)
		}
	}
}

// Whoever has got the server's part and says no more costs no slot, or a few such
// clients would keep all others out.
func TestAHandshakeThatStallsHoldsNoSlot(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		c.MaxHandshakes = 1
	}, nil)
	for range 5 {
		conn := w.dial()
		conn.Write(helloBytes())
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if _, err := w.shake(trusting()); err != nil || time.Since(start) > patience/2 {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
