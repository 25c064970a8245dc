package transport

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// raceEnabled is set by race_test.go.
var raceEnabled bool

func TestSendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, carrier := range carriers {
		if carrier.kind == overAny {
			continue // a goroutine writes
		}
		w := newWorld(t, carrier.option)
		p, c := w.websocket(4)
		f := NewFrame(repeat("x", 480))
		conn, buf := p.NetConn(), make([]byte, 4096)
		if c, ok := conn.(*tls.Conn); ok {
			conn = c.NetConn() // reading through crypto/tls allocates
		}
		conn.SetDeadline(time.Now().Add(2 * patience))
		if n := testing.AllocsPerRun(1000, func() {
			if err := c.s.Send(f); err != nil {
				t.Fatal(err)
			}
			// What is queued behind others is not written by this call.
			if _, err := conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestUnknownSessionsAreCheap(t *testing.T) {
	sid := formatSID(1, &secret{})
	if n := testing.AllocsPerRun(100, func() { parseSID(sid) }); n != 0 {
		t.Errorf("parseSID: %v allocations", n)
	}
}

// benchWorld is a world for benchmarks.
func benchWorld(b *testing.B, secure bool) (*world, func()) {
	t := new(testing.T)
	w := &world{t: t, opened: make(chan *client, 4096)}
	w.v = newServer(w, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	if secure {
		l = secured(l)
	}
	stop := serveOn(b, w.v, l)
	w.url = "http://" + addr + "/socket.io/"
	return w, stop
}

// BenchmarkReceive takes messages that come fast, 20 at a time.
func BenchmarkReceive(b *testing.B) {
	got := make(chan bool, 1)
	n := 0
	w, stop := benchWorld(b, false)
	defer stop()
	w.v.hooks.Open = nil
	count := countTo{&n, b, got}
	w.v.hooks.Open = count.open
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), "/socket.io/"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, handshakeText)
	bufio.NewReader(conn).ReadString('}')
	batch := repeat(string(masked(0x81, "4"+strings.Repeat("x", 100))), 20)
	b.ReportAllocs()
	b.ResetTimer()
	spent := cpu([]*Session{nil}, func(*Session) {
		for i := 0; i < b.N; i += 20 {
			conn.Write(batch)
		}
		<-got
	})
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "cpu-ns/message") // both ends
}

// The clients of the memory benchmark run in a process of their own.
const clientsEnv = "SLUICE_BENCH_CLIENTS"

const handshakeText = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestBenchClients is that process: it opens sessions and holds them until its
// input ends. Each line "m" makes every client send a message.
func TestBenchClients(t *testing.T) {
	spec := strings.Fields(os.Getenv(clientsEnv))
	if len(spec) != 3 {
		t.Skip("only as a process of its own")
	}
	n, _ := strconv.Atoi(spec[1])
	var conns []net.Conn
	for range n {
		conn, err := net.Dial("tcp", spec[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if spec[2] == "true" {
			conn = tls.Client(conn, insecure)
		}
		fmt.Fprint(conn, handshakeText)
		if _, err = bufio.NewReader(conn).ReadString('}'); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		go io.Copy(io.Discard, conn)
	}
	fmt.Println("open")
	in := bufio.NewScanner(os.Stdin)
	message := masked(0x81, "4hello")
	for in.Scan() {
		for _, conn := range conns {
			conn.Write(message)
		}
		fmt.Println("sent")
	}
}

// crowd is a server with clients in a process of their own.
type crowd struct {
	w    *world
	in   io.WriteCloser
	out  *bufio.Scanner
	stop func()
}

func newCrowd(b *testing.B, conns int, secure bool, opened func()) *crowd {
	w, stop := benchWorld(b, secure)
	if opened != nil {
		opened()
	}
	n := 0
	w.v.hooks.Open = (&countTo{&n, nil, nil}).open
	cmd := exec.Command(os.Args[0], "-test.run=^TestBenchClients$")
	addr := strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), "/socket.io/")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %v", clientsEnv, addr, conns, secure))
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	c := &crowd{w: w, in: in, out: bufio.NewScanner(out)}
	c.stop = func() { in.Close(); cmd.Wait(); stop() }
	c.expect(b, "open")
	if got := w.v.Len(); got != conns {
		b.Fatalf("%d sessions", got)
	}
	return c
}

func (c *crowd) expect(b *testing.B, line string) {
	for c.out.Scan() {
		if c.out.Text() == line {
			return
		}
	}
	b.Fatal("the clients have ended")
}

// BenchmarkFanOut sends one 480-byte message to each of 1,000 sessions, and in
// turns, as a measure, the same bytes with a loop of bare write calls to the
// same sockets. It reports the processor time of this process per delivery.
func BenchmarkFanOut(b *testing.B) {
	c := newCrowd(b, 1000, false, nil)
	defer c.stop()
	var sessions []*Session
	c.w.v.Each(func(s *Session) bool { sessions = append(sessions, s); return true })
	f := NewFrame(repeat("x", 480))
	eight := Join(f, f, f, f, f, f, f, f)
	bytes := f.wire(wsV4)
	var bare, sent, batched, joined, apart time.Duration
	batch := new(Batch)
	b.ReportAllocs()
	for b.Loop() {
		bare += cpu(sessions, func(s *Session) { syscall.Write(int(s.link.Load().fd), bytes) })
		sent += cpu(sessions, func(s *Session) { s.Send(f) })
		batched += cpu(sessions, func(s *Session) {
			if batch.Send(s, f); s == sessions[len(sessions)-1] {
				batch.Flush()
			}
		})
		joined += cpu(sessions, func(s *Session) { s.Send(eight) })
		apart += cpu(sessions, func(s *Session) {
			for range 8 {
				syscall.Write(int(s.link.Load().fd), bytes)
			}
		})
	}
	per := func(d time.Duration, messages int) float64 {
		return float64(d.Nanoseconds()) / float64(b.N*len(sessions)*messages)
	}
	b.ReportMetric(per(bare, 1), "cpu-ns/write")
	b.ReportMetric(per(sent, 1), "cpu-ns/send")
	b.ReportMetric(per(batched, 1), "cpu-ns/batched")
	b.ReportMetric(per(apart, 8), "cpu-ns/write-of-8")
	b.ReportMetric(per(joined, 8), "cpu-ns/joined-of-8")
}

// cpu is the processor time of this process for a round, once the clients have
// had time to read the round before.
func cpu(sessions []*Session, f func(*Session)) time.Duration {
	time.Sleep(20 * time.Millisecond)
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for _, s := range sessions {
		f(s)
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	total := func(u *syscall.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }
	return time.Duration(total(&after) - total(&before))
}

// BenchmarkIdleMemory reports what an idle session over a WebSocket takes, with
// either reader: fresh, and after it has sent messages and fallen silent again.
func BenchmarkIdleMemory(b *testing.B) {
	for _, reader := range []string{readerReactor, readerGoroutine} {
		b.Run(reader+"/plain", func(b *testing.B) { idleMemory(b, reader, false) })
		b.Run(reader+"/tls", func(b *testing.B) { idleMemory(b, reader, true) })
	}
}

func idleMemory(b *testing.B, reader string, secure bool) {
	const conns = 5000
	b.Setenv(readerEnv, reader)
	for b.Loop() {
		var before memory
		c := newCrowd(b, conns, secure, func() { before = resident() })
		fresh := resident()
		for range 3 {
			time.Sleep(1200 * time.Millisecond) // a silence, as between heartbeats
			fmt.Fprintln(c.in, "m")
			c.expect(b, "sent")
		}
		time.Sleep(500 * time.Millisecond)
		used := resident()
		b.ReportMetric(float64(fresh.rss-before.rss)/conns, "rss-fresh-B/conn")
		b.ReportMetric(float64(used.rss-before.rss)/conns, "rss-B/conn")
		b.ReportMetric(float64(used.heap-before.heap)/conns, "heap-B/conn")
		b.ReportMetric(float64(used.stack-before.stack)/conns, "stack-B/conn")
		c.stop()
	}
}

// BenchmarkConnect reports the processor time of this process for each session
// opened over a plain WebSocket, through net/http.
func BenchmarkConnect(b *testing.B) {
	const conns = 2000
	total := time.Duration(0)
	for b.Loop() {
		var before syscall.Rusage
		c := newCrowd(b, conns, false, func() { syscall.Getrusage(syscall.RUSAGE_SELF, &before) })
		var after syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		total += time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
		c.stop()
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N*conns), "cpu-us/session")
}

type memory struct{ rss, heap, stack int64 }

func resident() (m memory) {
	for range 3 {
		debug.FreeOSMemory()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	b, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		m.rss = pages * int64(os.Getpagesize())
	}
	m.heap, m.stack = int64(s.HeapAlloc), int64(s.StackInuse)
	return m
}
