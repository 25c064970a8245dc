package transport

import (
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
)

// upgradeProblem tells what is missing in the handshake of such a request, in
// the words of the reference, so that it can be refused while HTTP can still
// say so.
func upgradeProblem(r *http.Request) string {
	key := r.Header["Sec-Websocket-Key"]
	version := r.Header["Sec-Websocket-Version"]
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1:
		return "Invalid HTTP method"
	case len(key) != 1 || !validKey(key[0]):
		return "Missing or invalid Sec-WebSocket-Key header"
	case len(version) != 1 || version[0] != "13":
		return "Missing or invalid Sec-WebSocket-Version header"
	}
	return ""
}

// validKey tells whether s is 16 bytes in base64.
func validKey(s string) bool {
	var raw [18]byte
	if len(s) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(raw[:], []byte(s))
	return err == nil && n == 16
}

// acceptProtocol takes the first subprotocol that a client names, as the
// reference does: a browser that named one drops a connection without.
func acceptProtocol(w http.ResponseWriter, r *http.Request) {
	offered := r.Header["Sec-Websocket-Protocol"]
	if len(offered) == 0 {
		return
	}
	first, _, _ := strings.Cut(offered[0], ",")
	if first = strings.TrimSpace(first); isToken(first) {
		w.Header()["Sec-Websocket-Protocol"] = []string{first}
	}
}

var errEarlyData = errors.New("transport: data before the end of the handshake")

// takeOver makes a link of a request's connection. The answer to the handshake
// is in its queue and leaves with what follows it, at link.begin. When it fails
// the connection is either closed or still the HTTP server's.
func takeOver(s *Session, w http.ResponseWriter, r *http.Request) (*link, error) {
	h := w.Header()
	s.srv.origins.header(w, r, true)
	acceptProtocol(w, r)
	l, err := linkOf(s, w)
	if err != nil {
		return nil, err
	}
	l.deflate = s.deflates(r)
	l.push(appendAccept(make([]byte, 0, 256), r.Header["Sec-Websocket-Key"][0], h, l.deflate))
	return l, nil
}

// linkOf makes a link of a bare descriptor, or of what the HTTP server has.
func linkOf(s *Session, w http.ResponseWriter) (*link, error) {
	if from, ok := w.(giver); ok && s.srv.reactor != nil {
		return newLinkOf(s, from)
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	early := rw != nil && rw.Reader.Buffered() > 0
	if c, ok := conn.(interface{ Bare() *tls.Conn }); ok && !early {
		if bare := c.Bare(); bare != nil {
			conn = bare
		} else {
			early = true
		}
	}
	if early {
		conn.Close()
		return nil, errEarlyData
	}
	_ = conn.SetDeadline(time.Time{}) // those of the HTTP server; a broken connection is found so soon enough
	l, err := newLink(s, conn)
	if err != nil {
		conn.Close()
	}
	return l, err
}

// appendAccept appends the answer to a handshake.
func appendAccept(dst []byte, key string, h http.Header, deflate bool) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(appendProof(dst, key), "\r\n"...)
	if p := h["Sec-Websocket-Protocol"]; len(p) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Protocol", p[0])
	}
	if deflate {
		dst = appendField(dst, "Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	}
	for name, values := range h {
		if name == "Sec-Websocket-Protocol" {
			continue
		}
		for _, value := range values {
			dst = appendField(dst, name, value)
		}
	}
	return append(dst, "\r\n"...)
}

// appendField appends a header field. What would end it early becomes a blank.
func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	for i := range len(value) {
		dst = append(dst, max(value[i], ' '))
	}
	return append(dst, "\r\n"...)
}

// appendProof appends what shows that the handshake was understood (RFC 6455,
// section 4.2.2).
func appendProof(dst []byte, key string) []byte {
	const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var text [24 + len(salt)]byte
	copy(text[copy(text[:], key):], salt)
	sum := sha1.Sum(text[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}
