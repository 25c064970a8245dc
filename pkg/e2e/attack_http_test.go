package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// refused wants an Engine.IO error.
func refused(a answer, err error, status, code int) error {
	if err == nil && (a.status != status || !strings.HasPrefix(a.body, fmt.Sprintf(`{"code":%d,`, code))) {
		err = fmt.Errorf("%d %.80q, want %d with code %d", a.status, a.body, status, code)
	}
	return err
}

// query is an attack that is one GET with a refusal as its answer.
func query(target string, status, code int, headers ...string) func(context.Context, *party) error {
	return method("GET", target, status, code, headers...)
}

func method(verb, target string, status, code int, headers ...string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		a, err := p.say(ctx, request(verb, target, "", headers...))
		return refused(a, err, status, code)
	}
}

// upgrade is an attack that asks for a WebSocket and must not get it.
func upgrade(target, text string, headers ...string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		a, err := p.say(ctx, "GET "+target+" HTTP/1.1\r\nHost: ws.example.com\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n")
		if err == nil && (a.status != http.StatusBadRequest || !strings.Contains(a.body, text)) {
			err = fmt.Errorf("%d %.80q, want 400 %q", a.status, a.body, text)
		}
		return err
	}
}

// status is an attack that HTTP itself refuses.
func status(want int, bytes ...string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		a, err := p.say(ctx, bytes...)
		if err == nil && a.status != want {
			err = fmt.Errorf("%d %.80q, want %d", a.status, a.body, want)
		}
		return err
	}
}

const websocketURL = "/socket.io/?EIO=4&transport=websocket"

// evil is what must not reach a log as it is: an escape sequence and a line of
// its own.
const evil = "\x1b[31mforged\r\n" + forgedLine

const forgedLine = `{"lv":"info","msg":"forged by a client"}`

var httpAttacks = []attack{
	{"unknown transport", query("/socket.io/?EIO=4&transport=carrier-pigeon", 400, 0)},
	{"transport __proto__", query("/socket.io/?EIO=4&transport=__proto__", 400, 0)},
	{"transport in a control character", query("/socket.io/?EIO=4&transport=%1b%5b31m%0d%0aforged", 400, 0)},
	{"unknown version", query("/socket.io/?EIO=7&transport=polling", 400, 5)},
	{"no version", query("/socket.io/?transport=polling", 400, 5)},
	{"handshake by POST", method("POST", pollingURL, 400, 2)},
	{"handshake by DELETE", method("DELETE", pollingURL, 400, 2)},
	{"WebSocket without upgrade", query(websocketURL, 400, 3)},
	{"unknown sid", query(pollingURL+"&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA", 400, 1)},
	{"sid of other bytes", query(pollingURL+"&sid=%00%ff%1b%5b31m%0d%0aforged", 400, 1)},
	{"endless sid", query(pollingURL+"&sid="+strings.Repeat("A", 1500), 400, 1)},
	{"URL too long", query(pollingURL+"&x="+strings.Repeat("x", 3000), 400, 3)},
	{"many parameters", query(pollingURL+strings.Repeat("&a=1", 700), 400, 3)},
	{"origin of somebody else", query(pollingURL, 403, 4, "Origin: https://evil.example.com")},
	{"origin null", query(pollingURL, 403, 4, "Origin: null")},
	{"origin that looks alike", query(pollingURL, 403, 4, "Origin: https://app.example.com.evil.com")},
	{"origin of another scheme", query(pollingURL, 403, 4, "Origin: http://app.example.com")},
	{"origin with a user", query(pollingURL, 403, 4, "Origin: https://app.example.com@evil.com")},
	{"WebSocket of another origin", upgrade(websocketURL, "Forbidden", upgradeHeaders, "Origin: https://evil.example.com")},
	{"WebSocket of an unknown sid", upgrade(websocketURL+"&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA", "Session ID unknown", upgradeHeaders)},
	{"WebSocket without key", upgrade(websocketURL, "Sec-WebSocket", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")},
	{"WebSocket of another version", upgrade(websocketURL, "Sec-WebSocket", strings.Replace(upgradeHeaders, "13", "8", 1))},
	{"WebSocket with a short key", upgrade(websocketURL, "Sec-WebSocket", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AA==")},
	{"header too large", status(http.StatusRequestHeaderFieldsTooLarge, request("GET", pollingURL, "", "X-Large: "+strings.Repeat("x", 20_000)))},
	{"too many header lines", status(http.StatusRequestHeaderFieldsTooLarge, request("GET", pollingURL, "", strings.Split(strings.Repeat("X-A: 1\n", 100), "\n")[:100]...))},
	{"PROXY header of a stranger", status(http.StatusBadRequest, "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"+request("GET", pollingURL, ""))},
	{"PROXY header of a stranger, version 2", status(http.StatusBadRequest, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02"+request("GET", pollingURL, ""))},
	{"WebSocket with a body", upgrade(websocketURL, "Bad Request", upgradeHeaders, "Content-Length: 5")},
	{"line break in a header", status(http.StatusBadRequest, "GET "+pollingURL+" HTTP/1.1\r\nHost: a\r\nX-Bad\x1b: "+evil+"\r\n\r\n")},
	{"two lengths", status(http.StatusBadRequest, "POST "+pollingURL+" HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n40{}")},
	{"unknown transfer coding", status(http.StatusNotImplemented, "POST "+pollingURL+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n")},
	{"HTTP/2 from the start", http2Preface},
	{"slow header", slowHeader},
	{"no request", silent},
	{"WebSocket with data before its answer", earlyData},
}

// http2Preface wants to be refused, or cut.
func http2Preface(ctx context.Context, p *party) error {
	a, err := p.say(ctx, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err == nil && a.status/100 == 2 {
		return fmt.Errorf("taken: %d", a.status)
	}
	return nil
}

// slowHeader sends a header that never ends, a little at a time.
func slowHeader(ctx context.Context, p *party) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the gateway has cut it
	if _, err := io.WriteString(conn, "GET "+pollingURL+" HTTP/1.1\r\nHost: a\r\n"); err != nil {
		return err
	}
	return untilCut(ctx, conn, "X-Slow: 1\r\n")
}

// silent connects and says nothing.
func silent(ctx context.Context, p *party) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the gateway has cut it
	return untilCut(ctx, conn, "")
}

// earlyData sends frames with the request for the WebSocket.
func earlyData(ctx context.Context, p *party) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the gateway has cut it
	early := append([]byte("GET "+websocketURL+" HTTP/1.1\r\nHost: a\r\n"+upgradeHeaders+"\r\n\r\n"), frame(nil, 0x81, []byte("40"))...)
	if _, err := conn.Write(early); err != nil {
		return err
	}
	a, err := hear(bufio.NewReader(conn))
	if err == nil {
		return fmt.Errorf("taken: %d", a.status)
	}
	return nil
}
