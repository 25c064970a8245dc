package transport

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	transportUnknown   = `{"code":0,"message":"Transport unknown"}`
	sessionUnknown     = `{"code":1,"message":"Session ID unknown"}`
	badHandshakeMethod = `{"code":2,"message":"Bad handshake method"}`
	badRequest         = `{"code":3,"message":"Bad request"}`
	forbiddenBody      = `{"code":4,"message":"Forbidden"}`
	unsupportedVersion = `{"code":5,"message":"Unsupported protocol version"}`
)

func TestRefusedRequests(t *testing.T) {
	w := newWorld(t)
	polled, c := w.poll(4)
	_, onSocket := w.websocket(4)
	sid := "&sid=" + c.s.SID()
	forged := "&sid=" + formatSID(c.s.ID(), new(secret))
	for _, row := range []struct{ name, method, query, want string }{
		{"no transport", "GET", "?EIO=4", transportUnknown},
		{"no query", "GET", "", transportUnknown},
		{"unknown transport", "GET", "?EIO=4&transport=tobi", transportUnknown},
		{"__proto__", "GET", "?EIO=4&transport=__proto__", transportUnknown},
		{"constructor", "GET", "?EIO=4&transport=constructor", transportUnknown},
		{"transport before sid", "GET", "?EIO=4&transport=x&sid=y", transportUnknown},
		{"transport before method", "DELETE", "?EIO=4", transportUnknown},
		{"unknown sid", "GET", "?EIO=4&transport=polling&sid=abc", sessionUnknown},
		{"unknown sid by POST", "POST", "?EIO=4&transport=polling&sid=abc", sessionUnknown},
		{"unknown sid by DELETE", "DELETE", "?EIO=4&transport=polling&sid=abc", sessionUnknown},
		{"sid before version", "GET", "?EIO=9&transport=polling&sid=abc", sessionUnknown},
		{"sid of nobody", "GET", "?EIO=4&transport=polling&sid=" + formatSID(99, &secret{1}), sessionUnknown},
		{"right number, wrong secret", "GET", "?EIO=4&transport=polling" + forged, sessionUnknown},
		{"wrong secret by POST", "POST", "?EIO=4&transport=polling" + forged, sessionUnknown},
		{"POST", "POST", "?EIO=4&transport=polling", badHandshakeMethod},
		{"PUT", "PUT", "?EIO=4&transport=polling", badHandshakeMethod},
		{"DELETE", "DELETE", "?EIO=4&transport=polling", badHandshakeMethod},
		{"PATCH", "PATCH", "?EIO=4&transport=polling", badHandshakeMethod},
		{"OPTIONS without CORS", "OPTIONS", "?EIO=4&transport=polling", badHandshakeMethod},
		{"method before version", "POST", "?EIO=9&transport=polling", badHandshakeMethod},
		{"websocket without upgrade", "GET", "?EIO=4&transport=websocket", badRequest},
		{"websocket without upgrade, with sid", "GET", "?EIO=4&transport=websocket" + sid, badRequest},
		{"another version", "GET", "?EIO=3&transport=polling" + sid, badRequest},
		{"another version by POST", "POST", "?EIO=3&transport=polling" + sid, badRequest},
		{"no version with sid", "GET", "?transport=polling" + sid, badRequest},
		{"other methods with sid", "PUT", polled, badRequest},
		{"poll of a websocket", "GET", "?EIO=4&transport=polling&sid=" + onSocket.s.SID(), badRequest},
		{"post to a websocket", "POST", "?EIO=4&transport=polling&sid=" + onSocket.s.SID(), badRequest},
		{"no version", "GET", "?transport=polling", unsupportedVersion},
		{"unknown version", "GET", "?EIO=5&transport=polling", unsupportedVersion},
		{"twice", "GET", "?EIO=4&EIO=3&transport=polling", unsupportedVersion},
		{"long URL", "GET", "?EIO=4&transport=polling&x=" + strings.Repeat("y", 2100), badRequest},
	} {
		r := w.ask(row.method, row.query, "")
		if r.status != 400 || r.body != row.want || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %q", row.name, r.status, r.body, r.header)
		}
	}
	if r := w.ask("HEAD", "?EIO=4&transport=polling", ""); r.status != 400 || r.body != "" {
		t.Errorf("HEAD: %d %q", r.status, r.body)
	}
	c.isOpen()
	onSocket.isOpen()
}

func TestRefusedUpgrades(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.AllowEIO3 = false }))
	_, c := w.poll(4)
	for _, row := range []struct{ name, query, want string }{
		{"unknown transport", "?EIO=4&transport=x", "Transport unknown"},
		{"unknown sid", "?EIO=4&transport=websocket&sid=abc", "Session ID unknown"},
		{"polling", "?EIO=4&transport=polling", "Bad request"},
		{"polling with sid", "?EIO=4&transport=polling&sid=" + c.s.SID(), "Bad request"},
		{"another version", "?EIO=3&transport=websocket&sid=" + c.s.SID(), "Bad request"},
		{"version 3 off", "?EIO=3&transport=websocket", "Unsupported protocol version"},
	} {
		_, resp, err := w.tryDial(row.query)
		if err == nil || resp == nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		body := make([]byte, 100)
		n, _ := resp.Body.Read(body)
		if resp.StatusCode != 400 || string(body[:n]) != row.want || resp.Header.Get("Content-Type") != "text/html" {
			t.Errorf("%s: %d %q %v", row.name, resp.StatusCode, body[:n], resp.Header)
		}
	}
	w.ask("GET", "?EIO=3&transport=polling", "").wants(t, 400, unsupportedVersion)
	c.isOpen()
}

// A WebSocket handshake that the library would refuse must be refused before
// there is a session.
func TestIncompleteWebSocketHandshakes(t *testing.T) {
	opened := 0
	w := newWorld(t, clients(func(*client) { opened++ }))
	good := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	for name, values := range map[string][]string{
		"Sec-WebSocket-Version": {"12", "", "13, 8"},
		"Sec-WebSocket-Key":     {"abc", "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ**"},
	} {
		for _, v := range values {
			conn := w.dialRaw()
			fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n")
			for k, h := range good {
				if k == name {
					h = v
				}
				if h != "" {
					fmt.Fprintf(conn, "%s: %s\r\n", k, h)
				}
			}
			fmt.Fprintf(conn, "\r\n")
			buf := make([]byte, 1000)
			n, _ := conn.Read(buf)
			if got := string(buf[:n]); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.HasSuffix(got, "\r\n\r\nMissing or invalid "+name+" header") {
				t.Errorf("%s %q: %q", name, v, got)
			}
		}
	}
	if opened > 0 {
		t.Errorf("%d sessions were opened", opened)
	}
}

func TestAdmission(t *testing.T) {
	var refusal *Refusal
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Admit = func(r *http.Request) *Refusal { return refusal }
	}))
	refusal = &Refusal{}
	w.ask("GET", "?EIO=4&transport=polling", "").wants(t, 403, forbiddenBody)
	refusal = &Refusal{Status: 503, RetryAfter: 1500 * time.Millisecond, Reason: "load"}
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	r.wants(t, 503, forbiddenBody)
	if got := r.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q", got)
	}
	refusal = &Refusal{Status: 429, Code: 3, Message: "too many"}
	w.ask("GET", "?EIO=4&transport=polling", "").wants(t, 429, `{"code":3,"message":"too many"}`)
	_, resp, err := w.tryDial("?EIO=4&transport=websocket")
	if err == nil || resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "text/html" {
		t.Errorf("upgrade: %v %v", err, resp)
	}
	// Malformed requests never reach admission.
	refusal = &Refusal{Status: 500}
	w.ask("POST", "?EIO=4&transport=polling", "").wants(t, 400, badHandshakeMethod)
	refusal = nil
	w.poll(4)
}

func TestOpenMayRefuse(t *testing.T) {
	var s *Session
	closed := false
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Open = func(o *Session, r *http.Request) Receiver {
			s = o
			if closed {
				o.Close(ReasonRefused)
			}
			return nil
		}
	}))
	for range 2 {
		w.ask("GET", "?EIO=4&transport=polling", "").wants(t, 403, forbiddenBody)
		if err := s.Send(pingFrame); err != ErrClosed {
			t.Errorf("Send: %v", err)
		}
		if _, resp, err := w.tryDial("?EIO=4&transport=websocket"); err == nil || resp.StatusCode != 400 {
			t.Errorf("upgrade: %v", err)
		}
		closed = true
	}
	if n := w.v.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestOtherPathsAreNotServed(t *testing.T) {
	w := newWorld(t)
	base := strings.TrimSuffix(w.url, "/socket.io/")
	for path, want := range map[string]int{
		"/socket.io": 200, "/socket.io/": 200, "/": 404, "/socket.iox/": 404, "/socket.io/x": 404, "/socket.io//": 404,
		"/Socket.IO/": 404, "//socket.io/": 404, "/socket.io/..": 404, "/x/socket.io/": 404, "/socket.i": 404,
	} {
		resp, err := http.Get(base + path + "?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestPathWithAndWithoutASlash(t *testing.T) {
	for _, path := range []string{"/a/b", "/a/b/"} {
		w := newWorld(t, config(func(c *Config) { c.Path = path }))
		base := strings.TrimSuffix(w.url, "/socket.io/")
		for asked, want := range map[string]int{"/a/b": 200, "/a/b/": 200, "/a/bc": 404, "/a/b/c": 404, "/a/": 404, "/socket.io/": 404} {
			resp, err := http.Get(base + asked + "?EIO=4&transport=polling")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s under %s: %d, want %d", asked, path, resp.StatusCode, want)
			}
		}
	}
}

func TestForeignSessions(t *testing.T) {
	var asked []uint64
	serves := true
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Foreign = func(w http.ResponseWriter, r *http.Request, id uint64) bool {
			asked = append(asked, id)
			if serves {
				w.Header().Set("X-From", "elsewhere")
				w.WriteHeader(200)
				w.Write([]byte("4there"))
			}
			return serves
		}
	}), config(func(c *Config) { c.CORS = true; c.Origins = []string{"http://a.example"} }))
	other := "&sid=" + formatSID(7<<22, &secret{1})
	r := w.ask("GET", "?EIO=4&transport=polling"+other, "", "Origin", "http://a.example")
	r.wants(t, 200, "4there")
	if len(r.header.Values("Vary")) > 0 {
		t.Error("headers are set twice when a request is forwarded")
	}
	w.ask("POST", "?EIO=4&transport=polling"+other, "4x").wants(t, 200, "4there")
	if _, resp, _ := w.tryDial("?EIO=4&transport=websocket" + other); resp == nil || resp.Header.Get("X-From") != "elsewhere" {
		t.Error("an upgrade is not offered")
	}
	if len(asked) != 3 || asked[0] != 7<<22 {
		t.Errorf("asked for %v", asked)
	}
	// Not asked: our own session with a wrong secret, what is no sid, other origins.
	_, c := w.poll(4)
	w.ask("GET", "?EIO=4&transport=polling&sid="+formatSID(c.s.ID(), &secret{9}), "").wants(t, 400, sessionUnknown)
	w.ask("GET", "?EIO=4&transport=polling&sid=abc", "").wants(t, 400, sessionUnknown)
	w.ask("GET", "?EIO=4&transport=polling"+other, "", "Origin", "http://b.example").wants(t, 400, sessionUnknown)
	if len(asked) != 3 {
		t.Errorf("asked for %v", asked)
	}
	serves = false
	w.ask("GET", "?EIO=4&transport=polling"+other, "").wants(t, 400, sessionUnknown)
}

func TestFollowMayRefuse(t *testing.T) {
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Follow = func(s *Session, r *http.Request) *Refusal {
			if r.Header.Get("X-Who") != "me" {
				return &Refusal{}
			}
			return nil
		}
	}))
	q, c := w.poll(4)
	w.ask("POST", q, "4stolen").wants(t, 403, forbiddenBody)
	w.ask("GET", q, "").wants(t, 403, forbiddenBody)
	if _, resp, _ := w.tryDial("?EIO=4&transport=websocket&sid=" + c.s.SID()); resp == nil || resp.StatusCode != 400 {
		t.Error("upgrade is not refused")
	}
	w.ask("POST", q, "4own", "X-Who", "me").wants(t, 200, "ok")
	c.wants("own")
}
