package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// peer is a client's end of a WebSocket.
type peer struct {
	*websocket.Conn
	t *testing.T
}

func (w *world) dial(query string, headers ...string) *peer {
	w.t.Helper()
	p, resp, err := w.tryDial(query, headers...)
	if err != nil {
		body := ""
		if resp != nil {
			b, _ := io.ReadAll(resp.Body)
			body = fmt.Sprint(resp.StatusCode, " ", string(b))
		}
		w.t.Fatalf("dial %s: %v %s", query, err, body)
	}
	return p
}

func (w *world) tryDial(query string, headers ...string) (*peer, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	// A large buffer, as the library's client sends a fragment for each full one.
	d := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: insecure, WriteBufferSize: 1 << 20, NetDialContext: w.dialer}
	conn, resp, err := d.Dial("ws"+strings.TrimPrefix(w.url, "http")+query, h)
	if err != nil {
		return nil, resp, err
	}
	w.t.Cleanup(func() { conn.Close() })
	return &peer{conn, w.t}, resp, nil
}

// websocket opens a session over a WebSocket and reads the open packet.
func (w *world) websocket(eio int) (*peer, *client) {
	w.t.Helper()
	p := w.dial(fmt.Sprintf("?EIO=%d&transport=websocket", eio))
	if got := p.read(); !strings.HasPrefix(got, `0{"sid":"`) {
		w.t.Fatalf("first frame %q", got)
	}
	return p, w.next()
}

// read reads a message; binary in hex with a b in front.
func (p *peer) read() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	kind, data, err := p.ReadMessage()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	if kind == websocket.BinaryMessage {
		return fmt.Sprintf("b%x", data)
	}
	return string(data)
}

func (p *peer) wants(texts ...string) {
	p.t.Helper()
	for _, want := range texts {
		if got := p.read(); got != want {
			p.t.Fatalf("read %.200q, want %.200q", got, want)
		}
	}
}

// wantsClose reads until the close frame and checks its code.
func (p *peer) wantsClose(code int) {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	for {
		_, _, err := p.ReadMessage()
		if err == nil {
			continue
		}
		if !websocket.IsCloseError(err, code) {
			p.t.Fatalf("read ends with %v, want close code %d", err, code)
		}
		return
	}
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

func (p *peer) sayBinary(data ...byte) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.BinaryMessage, data); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// dialRaw opens a bare connection to the server.
func (w *world) dialRaw() net.Conn {
	w.t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), "/socket.io/")
	dial := w.dialer
	if dial == nil {
		dial = (&net.Dialer{Timeout: patience}).DialContext
	}
	conn, err := dial(context.Background(), "tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}
