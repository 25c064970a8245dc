package transport

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// stream is a connection that gives what it holds, some at a time.
type stream struct {
	net.Conn
	left []byte
	step int
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.left)
	s.left = s.left[n:]
	return n, nil
}

// heardFrom is what a seat makes of a stream, to its end: messages, what is
// answered, and why it ended.
func heardFrom(srv *Server, from []byte, step int, whole, deflate bool) (got []string) {
	l := &link{s: &Session{srv: srv}, conn: &stream{left: bytes.Clone(from), step: step}, deflate: deflate, role: caller}
	seat := newSeat(&upgrader)
	if deflate {
		seat = newSeat(&inflater)
	}
	seat.receive(l)
	message := func(data []byte, binary bool) { got = append(got, fmt.Sprintf("%x %v", data, binary)) }
	for {
		_, err := seat.br.Peek(1)
		if err == nil && whole && seat.takeWhole(message) {
			continue
		}
		var data []byte
		var binary bool
		if data, binary, err = seat.next(nil); err != nil {
			got = append(got, err.Error())
			break
		}
		message(data, binary)
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	for l.queue != nil {
		got = append(got, fmt.Sprintf("answered %x", l.queue.items))
		l.mu.Lock()
		l.dropLocked()
		l.mu.Unlock()
	}
	return got
}

// Whether frames are taken from the buffer or by the library must make no
// difference, whatever comes.
func FuzzWholeFrames(f *testing.F) {
	text, ping := masked(0x81, "4hello"), masked(0x89, "hey")
	for _, seed := range [][]byte{
		append(append(text, ping...), text...),
		append(masked(0x01, "4a"), append(ping, masked(0x80, "b")...)...),
		append(masked(0x82, string(repeat("x", 300))), masked(0x8a, "")...),
		append(text, masked(0x82, string(repeat("x", 5000)))...),
		append(text, masked(0xc1, "4x")...), append(text, masked(0x83, "")...), append(text, masked(0x80, "")...),
		append(text, masked(0x88, "\x03\xe8bye")...), append(ping, 0x81, 2, '4', 'x'),
		append(text, masked(0x89, string(repeat("x", 126)))...), append(text, masked(0x09, "")...),
		append(text, masked(0x82, string(repeat("x", 1001)))...), append(text, masked(0x81, string(repeat("x", 1000)))...),
		unhexed("81fe 0003 00000000 346162"), unhexed("81ff 0000000000000003 00000000 346162"), unhexed("89fe 0003 00000000 346162"),
	} {
		for _, step := range []int{1, 7, 5000} {
			f.Add(seed, step)
		}
	}
	srv := newServer(&world{t: new(testing.T)}, []option{config(func(c *Config) { c.MaxPayload = 1000 })})
	f.Fuzz(func(t *testing.T, from []byte, step int) {
		step = max(step%8192, 1)
		want := heardFrom(srv, from, step, false, false)
		got := heardFrom(srv, from, step, true, false)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// What stands behind the end of a compressed message, in its frame, is no frame.
func TestTheRestOfACompressedMessageIsNotTakenForFrames(t *testing.T) {
	srv := newServer(&world{t: t}, nil)
	frame, final := masked(0x81, "4inside"), appendDeflate(nil, []byte("4packed"), true)
	const header = 8
	pad := (feedSize - header - len(final)) % len(frame) // so that a frame is the first thing in a full buffer
	rest := append(make([]byte, pad), bytes.Repeat(frame, 3*feedSize/len(frame))...)
	packed := masked(0xc1, string(append(final, rest...)))
	copy(packed[len(packed)-len(rest):], rest) // as it stands in the buffer, masked
	from := append(packed, masked(0x81, "4next")...)
	want := heardFrom(srv, from, len(from), false, true)
	if got := heardFrom(srv, from, len(from), true, true); len(got) != 3 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %.300s\nwant %.300s", got, want)
	}
}

func TestUnmask(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	for n := range 40 {
		p := make([]byte, n)
		unmask(p, mask)
		for i := range p {
			if p[i] != mask[i%4] {
				t.Fatalf("%d bytes: %x", n, p)
			}
		}
	}
}

// Neither a message nor the answer to a heartbeat costs an allocation on its way
// in, from waking up to being idle again.
func TestAMessageInDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, frame := range map[string][]byte{
		"message": masked(0x81, "4hello"), "binary": masked(0x82, string(repeat("x", 1000))), "pong": masked(0x81, "3"),
	} {
		l := &link{s: &Session{srv: newServer(&world{t: t}, nil), rcv: silent{}}, role: caller}
		from := &replay{frame: frame}
		l.conn, l.kind = from, overTCP
		if n := testing.AllocsPerRun(1000, func() {
			from.at = 0
			if err := l.readAvailable(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if l.seat != nil {
			t.Errorf("%s: the link keeps its seat", name)
		}
	}
}

// replay is a connection from which a frame comes, and then nothing for now.
type replay struct {
	feed
	frame []byte
	at    int
}

func (r *replay) Read(p []byte) (int, error) {
	n := copy(p, r.frame[r.at:])
	if r.at += n; n == 0 {
		return 0, errAgain
	}
	return n, nil
}

// silent is a Receiver that does nothing.
type silent struct{}

func (silent) Message([]byte, bool) {}
func (silent) Closed(Reason)        {}

// A message that wakes its reader, and the answer to it, allocate nothing, nor
// does a heartbeat: neither here nor in what waits and reads.
func TestARoundTripDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	answer := NewFrame([]byte("hello"))
	for name, o := range map[string]option{"plain": {}, "TLS": overTLSWire()} {
		most := 0.0
		if name == "TLS" {
			most = 3 // crypto/tls: 24 bytes each time it reads, here twice, and in the client
		}
		for _, reader := range []string{readerAuto, readerGoroutine} {
			w := newWorld(t, o, config(func(c *Config) { c.Reader = reader }), hooks(func(h *Hooks) {
				h.Open = func(s *Session, _ *http.Request) Receiver { return &echo{s, answer} }
			}))
			p := w.dial("?EIO=3&transport=websocket") // whose clients ping
			p.read()
			conn := p.NetConn()
			conn.SetDeadline(time.Now().Add(2 * patience))
			buf := make([]byte, 100)
			for what, row := range map[string][2][]byte{
				"message": {masked(0x81, "4hello"), []byte("\x81\x064hello")}, "heartbeat": {masked(0x81, "2"), []byte("\x81\x013")},
			} {
				n := testing.AllocsPerRun(500, func() {
					if _, err := conn.Write(row[0]); err != nil {
						t.Fatal(err)
					}
					if n, err := io.ReadFull(conn, buf[:len(row[1])]); err != nil || !bytes.Equal(buf[:n], row[1]) {
						t.Fatalf("%q %v", buf[:n], err)
					}
				})
				if n > most {
					t.Errorf("%s, %s, %s: %v allocations", name, reader, what, n)
				}
			}
		}
	}
}

// echo answers each message.
type echo struct {
	s *Session
	f *Frame
}

func (e *echo) Message([]byte, bool) { e.s.Send(e.f) }
func (*echo) Closed(Reason)          {}
