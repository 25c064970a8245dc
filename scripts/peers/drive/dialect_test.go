package main

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

// unmasked reads a client's frame back.
func unmasked(t *testing.T, f []byte) string {
	t.Helper()
	if f[0] != 0x81 || f[1]&0x80 == 0 {
		t.Fatalf("%x is no masked text", f[:2])
	}
	n, rest := int(f[1]&0x7f), f[2:]
	if n == 126 {
		n, rest = int(rest[0])<<8|int(rest[1]), rest[2:]
	}
	mask, body := rest[:4], bytes.Clone(rest[4:])
	if len(body) != n {
		t.Fatalf("%d bytes, and the head says %d", len(body), n)
	}
	for i := range body {
		body[i] ^= mask[i%4]
	}
	return string(body)
}

func TestFramesOfClientsAreMasked(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 12_600} {
		want := strings.Repeat("x", n)
		if got := unmasked(t, masked(want)); got != want {
			t.Errorf("%d bytes come back as %d", n, len(got))
		}
	}
}

func TestUpstreamIsAboutAHundredBytesInEveryDialect(t *testing.T) {
	for name, d := range map[string]*dialect{"Socket.IO": &socketIO, "bare": &barely, "with a token": &withToken, "centrifuge": &centrifuge} {
		if n := len(unmasked(t, d.up)); n < 95 || n > 105 {
			t.Errorf("%s: %d bytes", name, n)
		}
		if d.isPing([]byte(unmasked(t, d.up))) || !d.isPing([]byte(map[bool]string{true: "{}", false: "2"}[d == &centrifuge])) {
			t.Errorf("%s: pings are not known", name)
		}
	}
	if barely.hello != nil || socketIO.hello == nil {
		t.Error("the bare server is greeted, or the others are not")
	}
}

func TestMessagesAreCounted(t *testing.T) {
	for text, want := range map[string]int{`42["m","x"]`: 1, `42["other","m"]`: 0, `40{"sid":"x"}`: 0, `2`: 0} {
		if n := socketIO.messages([]byte(text)); n != want {
			t.Errorf("%s: %d", text, n)
		}
	}
	if n := centrifuge.messages([]byte(`{"push":{"pub":{"data":1}}}` + "\n" + `{"push":{"pub":{"data":2}}}`)); n != 2 {
		t.Errorf("two replies in one frame are %d", n)
	}
}

// frame is one of a server.
func frame(op byte, text string) []byte {
	f := []byte{0x80 | op}
	if n := len(text); n < 126 {
		f = append(f, byte(n))
	} else {
		f = append(f, 126, byte(n>>8), byte(n))
	}
	return append(f, text...)
}

func TestClientsReadWhatServersWrite(t *testing.T) {
	long := strings.Repeat("y", 5000) // more than the client's buffer
	in := bytes.Join([][]byte{frame(1, "a"), frame(9, "ping"), frame(1, long), frame(1, ""), frame(8, "")}, nil)
	c := &client{in: bufio.NewReaderSize(bytes.NewReader(in), 1024)}
	for _, want := range []string{"a", long, ""} {
		if text, err := c.next(); err != nil || string(text) != want {
			t.Errorf("%.20q, %v, want %.20q", text, err, want)
		}
	}
	if _, err := c.next(); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
	c = &client{in: bufio.NewReader(bytes.NewReader(frame(1, "cut short")[:5]))}
	if text, err := c.next(); err == nil {
		t.Errorf("half a frame is %q", text)
	}
}
