package mesh

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echo upgrades with gorilla and sends back what comes, like a gateway that
// returns from its handler.
func echo(closed chan<- error) http.HandlerFunc {
	var up = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			closed <- err
			return
		}
		go func() {
			defer ws.Close()
			for {
				kind, b, err := ws.ReadMessage()
				if err == nil {
					err = ws.WriteMessage(kind, b)
				}
				if err != nil {
					closed <- err
					return
				}
			}
		}()
	}
}

func dialWS(t testing.TB, e *edge) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(e.URL, "http")+"/socket.io/", nil)
	if err != nil {
		t.Fatalf("%v, %v", err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(60 * time.Second))
	_ = ws.SetWriteDeadline(time.Now().Add(60 * time.Second))
	return ws
}

func TestTenThousandMessagesEachWay(t *testing.T) {
	closed := make(chan error, 1)
	e, _, c := pair(t, testConfig(), echo(closed))
	ws := dialWS(t, e)
	const n = 10_000
	sent := make(chan error, 1)
	go func() {
		b := make([]byte, 200)
		for i := range n {
			binary.BigEndian.PutUint32(b, uint32(i))
			if err := ws.WriteMessage(websocket.BinaryMessage, b[:4+i%197]); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range n {
		kind, b, err := ws.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || len(b) != 4+i%197 || binary.BigEndian.Uint32(b) != uint32(i) {
			t.Fatalf("message %d: %d bytes of kind %d, %v", i, len(b), kind, err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	ws.Close()
	<-closed
	if err := e.result(t); err != nil {
		t.Error(err)
	}
	for _, direction := range []string{"up", "down"} {
		if value(c.m.tunnelBytes.WithLabelValues(direction)) < n*4 {
			t.Errorf("too few bytes counted %s", direction)
		}
	}
}

func TestAMegabyteEachWay(t *testing.T) {
	closed := make(chan error, 1)
	e, _, _ := pair(t, testConfig(), echo(closed))
	ws := dialWS(t, e)
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(i * 7 >> 3)
	}
	go func() { _ = ws.WriteMessage(websocket.BinaryMessage, big) }()
	if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	ws.Close()
	<-closed
}

func TestCloseCodesPass(t *testing.T) {
	t.Run("up", func(t *testing.T) {
		closed := make(chan error, 1)
		e, _, _ := pair(t, testConfig(), echo(closed))
		ws := dialWS(t, e)
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "leaving"))
		if err := <-closed; !websocket.IsCloseError(err, 4001) {
			t.Errorf("callee saw %v", err)
		}
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 4001) {
			t.Errorf("client saw %v", err)
		}
	})
	t.Run("down", func(t *testing.T) {
		e, _, _ := pair(t, testConfig(), func(w http.ResponseWriter, r *http.Request) {
			ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err != nil {
				panic(err)
			}
			_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1009, "too large"))
			ws.Close()
		})
		ws := dialWS(t, e)
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 1009) {
			t.Errorf("client saw %v", err)
		}
	})
}

func TestATunnelToABootYoungerThanTheDirectory(t *testing.T) {
	cfg := testConfig()
	closed := make(chan error, 1)
	p := start(t, cfg, 1, "boot-b", "", &fake{http: echo(closed)})
	c := dial(t, cfg, newBook(Member{Replica: 1, Boot: "boot-a", Address: p.Address}))
	ws := dialWS(t, newEdge(t, c, 1))
	_ = ws.WriteMessage(websocket.TextMessage, []byte("hello"))
	if _, b, err := ws.ReadMessage(); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	ws.Close()
	<-closed
}
