package transport

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// bareLink is a link over TCP with nobody reading or writing, and its other end.
func bareLink(t *testing.T, options ...option) (*link, net.Conn) {
	t.Helper()
	near, far := pair(t)
	return newBareLink(t, near, far, options...), far
}

func newBareLink(t *testing.T, near, far net.Conn, options ...option) *link {
	t.Helper()
	link, err := newLink(&Session{srv: newServer(&world{t: t}, options)}, near)
	if err != nil {
		t.Fatal(err)
	}
	if r := link.s.srv.reactor; r != nil {
		r.run()
		t.Cleanup(r.close)
	}
	link.begin()
	t.Cleanup(func() {
		link.kill()
		far.Close()
		link.s.srv.running.Wait()
	})
	return link
}

// pair is a TCP connection.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	far.SetDeadline(time.Now().Add(patience))
	return near, far
}

// What somebody else queued while a frame was being written comes after the
// rest of that frame.
func TestRestOfAFrameComesBeforeTheQueue(t *testing.T) {
	for _, queued := range []int{1, 5} {
		l, far := bareLink(t)
		first := repeat("a", 20<<20) // more than the kernel takes
		want := bytes.Clone(first)
		if !l.take() {
			t.Fatal("the role is taken")
		}
		for i := range queued {
			next := repeat(string(rune('b'+i)), 10)
			l.push(next)
			want = append(want, next...)
		}
		l.writeOut(first)
		if l.pending() == 0 {
			t.Fatal("nothing waits")
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("other bytes, or %v", err)
		}
		eventually(t, "an empty queue", func() bool { return l.pending() == 0 })
	}
}

// The client has got a large message, and answers, before the one who wrote it
// knows that it has left: another large one must not make it slow.
func TestALargeFrameFollowsTheRestOfAnother(t *testing.T) {
	l, far := bareLink(t)
	go io.Copy(io.Discard, far)
	if !l.take() {
		t.Fatal("the role is taken")
	}
	limit := l.s.srv.cfg.BacklogBytes
	l.push(repeat("first", limit)) // is leaving, and does not count
	l.push(repeat("a", limit-1))
	if err := l.send(repeat("b", 4*limit), false); err != nil {
		t.Errorf("below the backlog: %v", err)
	}
	if err := l.send([]byte("c"), false); err != ErrSlow {
		t.Errorf("above the backlog: %v", err)
	}
	l.begin()
}

func TestKilledLinkTakesNothing(t *testing.T) {
	l, far := bareLink(t)
	l.kill()
	if err := l.send([]byte("x"), false); err != ErrClosed {
		t.Errorf("send: %v", err)
	}
	l.put([]byte("x"), false)
	l.shut(emptyClose)
	if l.take() || l.timer != nil {
		t.Error("the role can be had, or a timer runs")
	}
	if n, err := far.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// The descriptor of a plain connection must not be closed while somebody uses
// it: the number might be another connection's by then.
func TestKillLeavesClosingToWhoIsWriting(t *testing.T) {
	l, _ := bareLink(t)
	l.take()
	l.kill()
	touch := func() error { return l.in().untilRoom(time.Now().Add(patience), func(uintptr) bool { return true }) }
	if err := touch(); err != nil {
		t.Errorf("closed while the role is taken: %v", err)
	}
	l.begin()
	if err := touch(); err == nil {
		t.Error("not closed after the role was given back")
	}
}

func TestNothingFollowsTheLastFrame(t *testing.T) {
	l, far := bareLink(t)
	l.send([]byte("a"), false)
	l.shut([]byte("z"))
	if err := l.send([]byte("b"), false); err != ErrClosed {
		t.Errorf("send: %v", err)
	}
	l.put([]byte("b"), false)
	l.push([]byte("b"))
	l.shut([]byte("y"))
	got := make([]byte, 2)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "az" {
		t.Errorf("%q %v", got, err)
	}
	l.kill()
	if n, _ := far.Read(got); n > 0 {
		t.Errorf("then %q", got[:n])
	}
}

// A reader that has read what there is holds no buffer, and does not wait.
func TestIdleReaderHoldsNothing(t *testing.T) {
	l, far := bareLink(t, config(func(c *Config) { c.Reader = readerGoroutine }))
	far.Write(masked(0x81, "hello"))
	if err := l.park(); err != nil {
		t.Fatal(err)
	}
	seat := l.sit()
	if more, err := seat.more(false); !more || err != nil {
		t.Fatalf("more: %v %v", more, err)
	}
	if l.rise(); l.seat == nil {
		t.Error("the seat is gone, and a message with it")
	}
	if seat.br.Discard(11); l.in().(*feed).buf != nil {
		t.Error("the feed keeps its buffer")
	}
	if more, err := seat.more(true); more || err != nil {
		t.Errorf("then: %v %v", more, err)
	}
	if l.rise(); l.seat != nil || seat.link != nil {
		t.Error("the reader keeps its seat")
	}
	far.Close()
	if err := l.park(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// What crypto/tls writes by itself, from the reader, must not stay behind when
// the kernel takes no more at that moment.
func TestWireEmptiesItself(t *testing.T) {
	near, far := pair(t)
	w := &wire{carrier: near.(*net.TCPConn)}
	secure := newBareLink(t, tls.Server(w, insecure), far)
	if secure.kind != overTLS {
		t.Fatalf("kind %d", secure.kind)
	}
	sent := 0
	for !w.behind() {
		n, err := w.Write(repeat("x", 10_000))
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	if _, err := io.ReadFull(far, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing left", func() bool { return !w.behind() })
}

// The same while somebody has the role, who has just seen that nothing waits.
func TestWireIsEmptiedByWhoHadTheRole(t *testing.T) {
	near, far := pair(t)
	w := &wire{carrier: near.(*net.TCPConn)}
	secure := newBareLink(t, tls.Server(w, insecure), far)
	if !secure.take() {
		t.Fatal("the role is taken")
	}
	sent := 0
	for !w.behind() {
		n, err := w.Write(repeat("x", 10_000))
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	secure.begin() // nothing of its own is left to be written
	if _, err := io.ReadFull(far, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing left", func() bool { return !w.behind() })
}
