package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// deviations are the conversations of clients/raw.mjs in which the reference
// server does otherwise, and why Sluice does not follow. CLIENTS.md shows them.
var deviations = map[string]string{
	"bad handshakes":                         "no EIO, or one that is not a number, is refused",
	"a close packet over websocket":          "is acted on at once",
	"binary over polling":                    "b64=1 counts for the poll that has it",
	"the namespace's query is the auth":      "a parameter given twice is a list",
	"in time":                                "its clock is late on a busy machine",
	"disconnect from the only namespace, th": "what the reference does depends on how the frames arrive",
}

// TestConversationsAreThoseOfTheReference holds the conversations that Sluice
// passes with the Node server: what is expected there is what that server says.
func TestConversationsAreThoseOfTheReference(t *testing.T) {
	port := reference(t, map[string]any{"pingInterval": 600, "pingTimeout": 1000, "perMessageDeflate": true})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "clients/raw.mjs", fmt.Sprintf("http://localhost:%d", port), "600", "1000")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var r struct{ Name, Error string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		known := slices.ContainsFunc(slices.Collect(maps.Keys(deviations)), func(part string) bool { return strings.Contains(r.Name, part) })
		switch {
		case r.Error == "":
			same++
		case !known:
			t.Errorf("%s: the reference says otherwise: %s", r.Name, r.Error)
		}
	}
	if same < 80 {
		t.Errorf("%d conversations are the same, want 80", same)
	}
}

// reference runs the Node server with the echo, and gives its port.
func reference(t *testing.T, options map[string]any) int {
	t.Helper()
	port := freePort(t)
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "clients/reference.mjs", strconv.Itoa(port), string(text))
	in, out := startTalking(t, cmd)
	t.Cleanup(func() {
		_ = in.Close() // ends it
		_ = cmd.Wait() // t.Context has ended, which ends it, too
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the reference says %q: %v", line, err)
	}
	return port
}

// httpAnswer is what a server said, made comparable: without what differs each time.
type httpAnswer struct {
	Status int
	Closed bool // the connection, after the answer
	Header map[string]string
	Body   string
}

// incidental are headers that say how an answer is carried, and not what it is.
var incidental = []string{"Date", "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding"}

var (
	secretID = regexp.MustCompile(`("sid":"|io=|\\"sid\\":\\")[A-Za-z0-9_-]+`)
	lengthOf = regexp.MustCompile(`^\d+:0{`) // of a packet with a sid
)

func withoutSID(text string) string {
	return lengthOf.ReplaceAllString(secretID.ReplaceAllString(text, "$1-"), "0{")
}

// exchange sends one request as it is and reads the answer.
func exchange(t *testing.T, port int, method, path string, header map[string]string, body string) httpAnswer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("localhost:%d", port), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // all has been read
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var req strings.Builder
	fmt.Fprintf(&req, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	for _, k := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&req, "%s: %s\r\n", k, header[k])
	}
	if body != "" {
		fmt.Fprintf(&req, "Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(conn, req.String()+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	a := httpAnswer{Status: r.StatusCode, Closed: r.Close, Header: map[string]string{}}
	if r.StatusCode != http.StatusSwitchingProtocols {
		a.Body = withoutSID(readAll(t, r))
	}
	for k, v := range r.Header {
		if !slices.Contains(incidental, k) {
			a.Header[k] = withoutSID(strings.Join(v, "|"))
		}
	}
	return a
}

func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	in := io.Reader(r.Body)
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// httpRequest is one line of the comparison. differs says what of the answer is
// Sluice's own, and why; "" when nothing is.
type httpRequest struct {
	name, method, path string
	header             map[string]string
	differs            string
}

var (
	fromA     = map[string]string{"Origin": "http://a.example"}
	upgrading = map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
)

func with(h map[string]string, more ...string) map[string]string {
	h = maps.Clone(h)
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

// requests are those without a session. cookie is what differs in upgrades.
func requests(cookie string) []httpRequest {
	const poll, ws = "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=websocket"
	all := []httpRequest{
		{"handshake", "GET", poll, nil, ""},
		{"handshake from a page", "GET", poll, fromA, ""},
		{"handshake of generation 3", "GET", "/socket.io/?EIO=3&transport=polling", fromA, ""},
		{"handshake for a script", "GET", poll + "&j=7", nil, ""},
		{"preflight", "OPTIONS", poll, with(fromA, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-a, content-type"), ""},
		{"preflight for a private network", "OPTIONS", poll, with(fromA, "Access-Control-Request-Method", "POST", "Access-Control-Request-Private-Network", "true"), ""},
		{"preflight with an unknown sid", "OPTIONS", poll + "&sid=x", fromA, ""},
		{"unknown sid", "GET", poll + "&sid=x", fromA, ""},
		{"unknown transport", "GET", "/socket.io/?EIO=4&transport=x", fromA, ""},
		{"no transport", "GET", "/socket.io/", nil, ""},
		{"no version", "GET", "/socket.io/?transport=polling", nil, "taken for 3"},
		{"version 5", "GET", "/socket.io/?EIO=5&transport=polling", nil, "taken for 3"},
		{"no upgrade", "GET", ws, nil, ""},
		{"upgrade", "GET", ws, upgrading, cookie},
		{"upgrade from a page", "GET", ws, with(upgrading, "Origin", "http://a.example"), cookie},
		{"upgrade with subprotocols", "GET", ws, with(upgrading, "Sec-WebSocket-Protocol", "a, b"), cookie},
		{"upgrade with compression that is off", "GET", ws, with(upgrading, "Sec-WebSocket-Extensions", "permessage-deflate"), cookie},
		{"upgrade of an unknown sid", "GET", ws + "&sid=x", upgrading, ""},
		{"upgrade by POST", "POST", ws, upgrading, ""},
		{"upgrade without key", "GET", ws, with(upgrading, "Sec-WebSocket-Key", "x"), ""},
		{"upgrade of version 12", "GET", ws, with(upgrading, "Sec-WebSocket-Version", "12"), "the header that names the versions is not sent"},
		{"upgrade of a polling URL", "GET", poll, upgrading, "400 before the upgrade and not a close after it"},
		{"handshake that closes", "GET", poll, with(fromA, "Connection", "close"), ""},
		{"prefix of the path", "GET", "/socket.i?EIO=4&transport=polling", nil, "404 with a body"},
		{"look-alike", "GET", "/socket.iox/?EIO=4&transport=polling", nil, "404 with a body"},
		{"below the path", "GET", "/socket.io/x?EIO=4&transport=polling", nil, "404 and not served"},
		{"without the slash", "GET", "/socket.io?EIO=4&transport=polling", nil, "served and not 404"},
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PURGE"} {
		all = append(all, httpRequest{"handshake by " + method, method, poll, fromA, ""})
	}
	return all
}

// TestAnswersAreThoseOfTheReference asks both servers the same over HTTP and
// compares status, headers and body.
func TestAnswersAreThoseOfTheReference(t *testing.T) {
	cors := map[string]any{"origin": true, "credentials": true}
	theirs := reference(t, map[string]any{"cors": cors, "cookie": true})
	ours := echoServer(t, map[string]string{"SLUICE_GATEWAY_TRANSPORT_COOKIE_NAME": "io"})
	for _, r := range requests("the cookie is set, too") {
		compare(t, r.name, r.differs, exchange(t, ours, r.method, r.path, r.header, ""), exchange(t, theirs, r.method, r.path, r.header, ""))
	}
	compareSessions(t, ours, theirs)
	t.Run("without CORS", func(t *testing.T) {
		theirs := reference(t, nil)
		ours := echoServer(t, map[string]string{"SLUICE_GATEWAY_TRANSPORT_CORS": "false"})
		for _, r := range requests("") {
			compare(t, r.name, r.differs, exchange(t, ours, r.method, r.path, r.header, ""), exchange(t, theirs, r.method, r.path, r.header, ""))
		}
	})
	t.Run("for everybody", func(t *testing.T) {
		theirs := reference(t, map[string]any{"cors": map[string]any{"origin": "*", "allowedHeaders": []string{"x-a"}, "maxAge": 60}})
		ours := echoServer(t, map[string]string{
			"SLUICE_GATEWAY_TRANSPORT_CORS_CREDENTIALS": "false", "SLUICE_GATEWAY_TRANSPORT_CORS_HEADERS": "x-a", "SLUICE_GATEWAY_TRANSPORT_CORS_MAX_AGE": "60s",
		})
		for _, r := range requests("") {
			compare(t, r.name, r.differs, exchange(t, ours, r.method, r.path, r.header, ""), exchange(t, theirs, r.method, r.path, r.header, ""))
		}
	})
}

func compare(t *testing.T, name, differs string, ours, theirs httpAnswer) {
	t.Helper()
	a, b := fmt.Sprintf("%+v", ours), fmt.Sprintf("%+v", theirs)
	if (a == b) == (differs == "") {
		return
	}
	t.Errorf("%s (%s):\n ours   %.600s\n theirs %.600s", name, differs, a, b)
}

// echoServer is ws-dev with the echo on a port of its own.
func echoServer(t *testing.T, env map[string]string) int {
	t.Helper()
	port, governor := freePort(t), freePort(t)
	env = with(env,
		"SLUICE_GATEWAY_SERVER_MESH_PORT", strconv.Itoa(freePort(t)),
		"SLUICE_API_SERVER_GRPC_PORT", strconv.Itoa(freePort(t)),
		"SLUICE_GATEWAY_SERVER_GOVERNOR_PORT", strconv.Itoa(governor))
	p := start(t, "ws-dev", program(t, "ws-dev"), "", env, "-component", "echo", "-listen", fmt.Sprintf("localhost:%d", port))
	p.ready(fmt.Sprintf("127.0.0.1:%d", governor), time.Minute)
	return port
}

// compareSessions compares what is said within a session.
func compareSessions(t *testing.T, ours, theirs int) {
	t.Helper()
	for _, eio := range []string{"4", "3"} {
		base := "/engine.io/?EIO=" + eio + "&transport=polling"
		urls := map[int]string{}
		for _, port := range []int{ours, theirs} {
			urls[port] = base + "&sid=" + handshakeSID(t, port, base)
		}
		pack := func(text string) string {
			if eio == "3" {
				return fmt.Sprintf("%d:%s", len(text), text)
			}
			return text
		}
		both := func(name, differs, method string, header map[string]string, body string) {
			t.Helper()
			a := exchange(t, ours, method, urls[ours], header, body)
			compare(t, "EIO "+eio+", "+name, differs, a, exchange(t, theirs, method, urls[theirs], header, body))
		}
		both("preflight", "", "OPTIONS", fromA, "")
		for _, method := range []string{"HEAD", "PUT", "DELETE"} {
			both(method, "400 with an error and not 500", method, fromA, "")
		}
		for _, accept := range []string{"", "gzip", "deflate", "gzip;q=0, deflate;q=0.5", "deflate, gzip", "*", "br", "identity"} {
			for _, size := range []int{10, 1000, 2000} {
				both("POST", "", "POST", fromA, pack("4"+strings.Repeat("x", size)))
				differs := ""
				if size == 2000 {
					differs = "Vary names Accept-Encoding"
				}
				both(fmt.Sprintf("GET of %d bytes, %q", size, accept), differs, "GET", with(fromA, "Accept-Encoding", accept), "")
			}
		}
		both("POST too large", "the connection is closed", "POST", fromA, pack("4"+strings.Repeat("x", 1_000_000)))
		both("POST of garbage", "", "POST", fromA, "abc")
		both("after garbage", "", "GET", fromA, "")
	}
}

func handshakeSID(t *testing.T, port int, path string) string {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://localhost:%d%s", port, path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // read to its end
	_, rest, ok := strings.Cut(readAll(t, r), `"sid":"`)
	if !ok {
		t.Fatal("no sid")
	}
	sid, _, _ := strings.Cut(rest, `"`)
	return sid
}
