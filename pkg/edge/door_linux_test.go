package edge

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// isFast tells who answers.
func isFast(w http.ResponseWriter) bool { _, fast := w.(answering); return fast }

func tellWho(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%v %s", isFast(w), r.RemoteAddr)
}

func TestOnlyPlainUpgradesPassNetHTTPBy(t *testing.T) {
	w := newWorld(t, nil, tellWho)
	for _, b := range plainHeads {
		conn := w.dial()
		if status, body := ask(t, conn, b); status != 200 || body != "true "+conn.LocalAddr().String() {
			t.Errorf("%q: %d %q", b, status, body)
		}
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%q: after the answer come %d bytes, %v", b, n, err)
		}
	}
	for _, b := range oddHeads {
		conn := w.dial()
		io.WriteString(conn, b)
		conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if strings.Contains(string(answer), "true") {
			t.Errorf("%q: answered %q", b, answer)
		}
	}
	if status, body := ask(t, w.dial(), simple); status != 200 || !strings.HasPrefix(body, "false") {
		t.Errorf("no upgrade: %d %q", status, body)
	}
}

// oddly makes a head one for net/http that means the same.
func oddly(b string) string { return strings.Replace(b, "\r\nUpgrade:", "\r\nUpgrade:\t", 1) }

func TestAnAnswerIsThatOfNetHTTP(t *testing.T) {
	big := strings.Repeat("x", 1500)
	for name, handler := range map[string]http.HandlerFunc{
		"nothing":   func(http.ResponseWriter, *http.Request) {},
		"status":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) },
		"error":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "starting", http.StatusServiceUnavailable) },
		"sniffed":   func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>"); io.WriteString(w, big) },
		"not found": http.NotFound,
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Connection"] = []string{"close"}
			w.Header()["Retry-After"], w.Header()["Set-Cookie"] = []string{"5"}, []string{"a=b", "c=d\r\nx: y"}
			w.WriteHeader(400)
			w.Write([]byte("no"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, handler)
			fast, slow := answerTo(t, w.dial(), plainHead), answerTo(t, w.dial(), oddly(plainHead))
			if !fast.Close {
				t.Error("it does not say that the connection ends")
			}
			for _, name := range []string{"Date", "Connection"} { // may differ
				delete(fast.Header, name)
				delete(slow.Header, name)
			}
			a, _ := io.ReadAll(fast.Body)
			b, _ := io.ReadAll(slow.Body)
			if fast.Status != slow.Status || fast.ContentLength != slow.ContentLength || string(a) != string(b) ||
				!maps.EqualFunc(fast.Header, slow.Header, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
				t.Errorf("%s %v %q, by net/http %s %v %q", fast.Status, fast.Header, a, slow.Status, slow.Header, b)
			}
		})
	}
}

func answerTo(t *testing.T, conn net.Conn, text string) *http.Response {
	t.Helper()
	io.WriteString(conn, text)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAHandlerThatPanicsEndsItsConnectionOnly(t *testing.T) {
	w := newWorld(t, nil, func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	for range 3 {
		if status := w.once(plainHead); status != 0 {
			t.Errorf("answered %d", status)
		}
	}
	eventually(t, "all to have left", func() bool { return w.port.table.Total() == 0 })
}

func TestABareDescriptorIsGivenAwayOnce(t *testing.T) {
	var failed atomic.Value
	w := newWorld(t, func(c *Config) { fromLoopback(c); c.MaxConnsPerAddress = 1 }, func(w http.ResponseWriter, _ *http.Request) {
		a := w.(*bareReply)
		fd, closed := a.TakeSocket()
		if again, _ := a.TakeSocket(); again != -1 {
			failed.Store("given away twice")
		}
		if _, _, err := a.Hijack(); err == nil {
			failed.Store("hijacked after it was given away")
		}
		if _, err := a.Write([]byte("x")); err == nil {
			failed.Store("written after it was given away")
		}
		for name, o := range map[string][2]int{
			"no delay": {syscall.IPPROTO_TCP, syscall.TCP_NODELAY}, "keep-alive": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
			"of idle": {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE}, "and more": {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL},
		} {
			if v, err := syscall.GetsockoptInt(fd, o[0], o[1]); err != nil || v == 0 || strings.HasPrefix(name, "of") && v > 60 {
				failed.Store(fmt.Sprint("option ", name, " is not passed on: ", v, err))
			}
		}
		syscall.Write(fd, []byte("hello"))
		buf := make([]byte, 1)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if n, err := syscall.Read(fd, buf); err == nil && n == 0 {
				break
			}
		}
		syscall.Close(fd)
		closed()
	})
	from := "PROXY TCP4 192.0.2.1 198.51.100.1 1 443\r\n"
	conn := w.dial()
	io.WriteString(conn, from+plainHead)
	buf := make([]byte, 5)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" {
		t.Errorf("it says %q, %v", buf, err)
	}
	if status := w.once(from + plainHead); status != 0 {
		t.Errorf("while it is open another one of the address is answered %d", status)
	}
	if n := w.refused(TooMany); n != 1 {
		t.Errorf("%d are counted as refused", n)
	}
	conn.Close()
	eventually(t, "it to have left", func() bool { return w.port.table.Total() == 0 })
	if v := failed.Load(); v != nil {
		t.Error(v)
	}
}

func TestAConnectionIsHijackedFromADoor(t *testing.T) {
	inside := make(chan bool, 1)
	w := newWorld(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if !isFast(w) {
			t.Error("it comes through net/http")
		}
		inside <- true
		line, _ := rw.ReadString('\n')
		rw.WriteString("you say " + line)
		rw.Flush()
	})
	conn := w.dial()
	io.WriteString(conn, plainHead)
	select { // or it comes with the head, and is another matter
	case <-inside:
	case <-time.After(patience):
		t.Fatal("nobody serves it")
	}
	io.WriteString(conn, "hello\n")
	if b, err := io.ReadAll(conn); err != nil || string(b) != "you say hello\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// Who says nothing costs no goroutine, and is closed in time.
func TestWhoSaysNothingWaitsAtTheDoor(t *testing.T) {
	const n, limit = 200, 300 * time.Millisecond
	w := newWorld(t, nil, tellWho)
	before := runtime.NumGoroutine()
	for range n {
		w.dial()
	}
	eventually(t, "all to have come", func() bool { return w.port.table.Total() == n })
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines for them", more)
	}

	w = newWorld(t, func(c *Config) { c.HeaderTimeout = limit }, tellWho)
	start := time.Now()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = w.dial()
	}
	for _, conn := range conns {
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("closed by %v", err)
		}
	}
	if took := time.Since(start); took < limit {
		t.Errorf("they are closed after %v", took)
	}
	eventually(t, "all to have left", func() bool { return w.port.table.Total() == 0 })
}

// A header has its time from the beginning, wherever it is read.
func TestAHeaderThatBeginsLateHasNoMoreTime(t *testing.T) {
	const limit = 3 * time.Second
	var both sync.WaitGroup
	for name, w := range map[string]*world{
		"plain": newWorld(t, func(c *Config) { c.HeaderTimeout = limit }, tellWho),
		"TLS":   secureWorld(t, func(c *Config) { c.HeaderTimeout = limit }, tellWho),
	} {
		conn := w.dial()
		both.Go(func() {
			if name == "TLS" {
				conn = tls.Client(conn, trusting())
				conn.(*tls.Conn).Handshake()
			}
			start := time.Now()
			time.Sleep(limit * 3 / 4)
			io.WriteString(conn, plainHead[:30])
			if b, err := io.ReadAll(conn); strings.Contains(string(b), "200") {
				t.Errorf("%s: %q, %v", name, b, err)
			}
			if took := time.Since(start); took > limit*17/10 { // with all the time again it would be 1.75
				t.Errorf("%s: it ends after %v", name, took)
			}
		})
	}
	both.Wait()
}

func TestAHeadInPiecesOrWithMoreBehindItIsForNetHTTP(t *testing.T) {
	w := newWorld(t, nil, tellWho)
	for _, cut := range []int{1, 3, 20, len(plainHead) - 2} {
		conn := w.dial()
		w.tell(conn, plainHead[:cut])
		if status, body := ask(t, conn, plainHead[cut:]); status != 200 || !strings.HasPrefix(body, "false") {
			t.Errorf("cut at %d: %d %q", cut, status, body)
		}
	}
	conn := w.dial()
	if status, body := ask(t, conn, plainHead+simple); status != 200 || !strings.HasPrefix(body, "false") {
		t.Errorf("with another behind it: %d %q", status, body)
	}
}

// A head at the limit of what is read at once, one byte above, and a hundred
// times as much.
func TestALongHeadIsForNetHTTP(t *testing.T) {
	w := newWorld(t, nil, tellWho)
	long := func(n int) string { return more("A: " + strings.Repeat("x", n-len(plainHead)-5) + "\r\n") }
	for _, c := range []struct {
		bytes, status int
		by            string
	}{{headBytes - 1, 200, "true"}, {headBytes, 200, "false"}, {headBytes + 1, 200, "false"}, {100 * headBytes, 431, "431"}} {
		if status, body := ask(t, w.dial(), long(c.bytes)); status != c.status || !strings.HasPrefix(body, c.by) {
			t.Errorf("%d bytes: %d %.30q", c.bytes, status, body)
		}
	}
}

func TestAClientBehindAProxyIsServedAtTheDoor(t *testing.T) {
	w := newWorld(t, fromLoopback, tellWho)
	for _, c := range goodHeaders {
		if strings.HasPrefix(c.text, "PROXY UNKNOWN ") { // spaces up to the bound, see the parser's test
			continue
		}
		conn := w.dial()
		want := c.client
		if want == "" {
			want = conn.LocalAddr().String()
		}
		if status, body := ask(t, conn, c.text+plainHead); status != 200 || body != "true "+want {
			t.Errorf("%q: %d %q, want %q", c.text, status, body, want)
		}
	}
	for _, text := range []string{badHeaders[0], badHeaders[20], "", plainHead} {
		if status, _ := ask(t, w.dial(), text+plainHead); status != 0 {
			t.Errorf("%.40q: answered %d", text, status)
		}
	}
}

func BenchmarkPlainRequest(b *testing.B) {
	request := []byte(plainHead)
	b.Run("told", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			plainUpgrade(request)
		}
	})
	b.Run("parsed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h := heads.Get().(*head)
			h.request(request, len(request))
			heads.Put(h)
		}
	})
}

// A goroutine that finds nothing to read, as its event was for what has been read
// or for another one, lets the connection wait on.
func TestWhoHasSaidNothingWaitsOn(t *testing.T) {
	w := newWorld(t, nil, tellWho)
	d := w.listener.door
	waiting := func() (v *visitor) {
		eventually(t, "one that waits", func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, v = range d.waiting {
			}
			return v != nil
		})
		return d.leave(v.fd, v.number)
	}
	conn := w.dial()
	for range 3 {
		d.serve(waiting())
	}
	if status, _ := ask(t, conn, plainHead); status != 200 {
		t.Errorf("answered %d", status)
	}
	conn = w.dial()
	v := waiting()
	w.listener.Close()
	d.serve(v)
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("a door that is closed lets it wait: %d %v", n, err)
	}
}

// BenchmarkDoor reports the processor time of this process, clients included, for
// each connection that comes in a burst, asks and is answered at the door.
func BenchmarkDoor(b *testing.B) {
	const burst = 200
	w := newWorld(b, func(c *Config) { c.ConnsPerSecond, c.MaxConnsPerAddress = 0, 0 }, tellWho)
	var conns [burst]net.Conn
	var before, after syscall.Rusage
	b.ReportAllocs()
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		for i := range conns {
			var err error
			if conns[i], err = net.Dial("tcp4", w.address); err != nil {
				b.Fatal(err)
			}
		}
		for _, c := range conns {
			io.WriteString(c, plainHead)
		}
		for _, c := range conns {
			if n, _ := io.Copy(io.Discard, c); n == 0 {
				b.Fatal("not answered")
			}
			c.Close()
		}
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	total := func(u *syscall.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }
	b.ReportMetric(float64(total(&after)-total(&before))/1000/float64(b.N*burst), "cpu-us/connection")
}

func TestWhoCannotBeWatchedIsRefusedAndCounted(t *testing.T) {
	w := newWorld(t, nil, tellWho)
	fd, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0) // which epoll does not take
	if err != nil {
		t.Fatal(err)
	}
	d := w.listener.door
	d.admit(&visitor{d: d, fd: fd, number: -1, peer: netip.MustParseAddrPort("127.0.0.1:1")})
	if n := w.refused(NoFiles); n != 1 || w.port.table.Total() != 0 {
		t.Errorf("%d were counted, %d are there", n, w.port.table.Total())
	}
}
