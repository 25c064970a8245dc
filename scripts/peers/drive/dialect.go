package main

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// dialect is what a client says to a kind of server.
type dialect struct {
	path string
	// greets tells that the server speaks first.
	greets bool
	// hello is what a client says then; nil if it is connected by the upgrade alone.
	hello func(client int) string
	// connected tells the answer to it.
	connected func(text []byte) bool
	// messages is how many pushed messages a text holds.
	messages func(text []byte) int
	// isPing tells that a text is to be answered with pong.
	isPing func(text []byte) bool
	pong   []byte
	// receipt and up are what a client sends: what it says when it has got a
	// message, and a message of 100 bytes.
	receipt, up []byte
}

var socketIO = dialect{
	path:      "/socket.io/?EIO=4&transport=websocket",
	greets:    true,
	hello:     func(int) string { return "40" },
	connected: func(text []byte) bool { return bytes.HasPrefix(text, []byte(`40`)) },
	messages: func(text []byte) int {
		if bytes.HasPrefix(text, []byte(`42["m"`)) {
			return 1
		}
		return 0
	},
	isPing:  func(text []byte) bool { return string(text) == "2" },
	pong:    masked("3"),
	receipt: masked(`42["bench:receipt",1]`),
	up:      masked(`42["bench:up","` + strings.Repeat("u", 83) + `"]`),
}

// barely is Socket.IO without its handshakes.
var barely = func() dialect {
	d := socketIO
	d.hello = nil
	return d
}()

var centrifuge = dialect{
	path:      "/connection/websocket",
	hello:     func(int) string { return `{"id":1,"connect":{}}` },
	connected: func(text []byte) bool { return bytes.HasPrefix(text, []byte(`{"id":1,"connect"`)) },
	messages:  func(text []byte) int { return bytes.Count(text, []byte(`"pub":{`)) },
	isPing:    func(text []byte) bool { return string(text) == "{}" },
	pong:      masked("{}"),
	receipt:   masked(`{"send":{"data":1}}`),
	up:        masked(`{"send":{"data":"` + strings.Repeat("u", 80) + `"}}`),
}

// masked makes a text frame of a client.
func masked(text string) []byte {
	mask := [4]byte{0x5a, 0x17, 0xc3, 0x88}
	f := []byte{0x81}
	if n := len(text); n < 126 {
		f = append(f, 0x80|byte(n))
	} else {
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	}
	f = append(f, mask[:]...)
	for i := range len(text) {
		f = append(f, text[i]^mask[i%4])
	}
	return f
}
