// Command bare is the least that a server can do: accept, answer the upgrade,
// count the frames that come, and write a prepared frame to each descriptor. It
// knows no Socket.IO. What others need beyond it is theirs.
package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"log"
	"strings"
	"sync/atomic"

	"peers/control"
)

var received atomic.Int64

func main() {
	l, secure := control.Listen()
	if secure != nil {
		go accept(l, secure)
		control.Serve(l.Addr(), func(int) { log.Fatal("only plain connections are written to") }, received.Load)
	}
	s := newServer(l)
	go s.run()
	f := frame(`42["m","` + control.Text + `"]`)
	control.Serve(l.Addr(), func(times int) {
		for range times {
			s.push(f)
		}
	}, received.Load)
}

// frame makes a text frame of a server.
func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(text))), text...)
}

// upgraded is the answer to a request for a WebSocket.
func upgraded(request string) string {
	_, rest, found := strings.Cut(request, "Sec-WebSocket-Key: ")
	key, _, end := strings.Cut(rest, "\r\n")
	if !found || !end || !strings.HasSuffix(request, "\r\n\r\n") {
		log.Fatalf("not in one read: %q", request)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

// count counts the frames in what was read: whole short ones, as bench-peers
// sends them.
func count(b []byte) {
	n := int64(0)
	for len(b) > 0 {
		if len(b) < 6 || b[1]&0x7f > 125 || len(b) < 6+int(b[1]&0x7f) {
			log.Fatalf("no whole frame: %x", b)
		}
		text := b[6 : 6+int(b[1]&0x7f)]
		for i := range text {
			text[i] ^= b[2+i%4]
		}
		b = b[6+len(text):]
		n++
	}
	received.Add(n)
}
