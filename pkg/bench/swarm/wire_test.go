package swarm

import (
	"bytes"
	"encoding/json"
	"testing"
)

func unmarshal(text []byte, v any) error { return json.Unmarshal(text, v) }

func TestMarksAreRead(t *testing.T) {
	text := AppendMark(nil, 3, 17, 123456789012)
	m, ok := parseMark(text[1:])
	if !ok || m != (Mark{3, 17, 123456789012}) {
		t.Errorf("%s is %+v, %v", text, m, ok)
	}
	for _, bad := range []string{"", "1", "1.2", `1.2"`, `1.2.3`, `1.0.3"`, `a.2.3"`, `1.-2.3"`, `1.2.3,`, `4294967296.1.1"`, `1.4294967296.1"`} {
		if m, ok := parseMark([]byte(bad)); ok {
			t.Errorf("%q is %+v", bad, m)
		}
	}
}

func TestFramesOfAnyLengthAndSplit(t *testing.T) {
	for _, length := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte{'p'}, length)
		masked := appendFrame(nil, opText, payload)
		// A server's frame is the same without the mask.
		head := len(masked) - length - 4
		raw := append(bytes.Clone(masked[:head]), payload...)
		raw[1] &= 0x7f
		for _, cut := range []int{0, 1, 2, head, len(raw) - 1} {
			if cut < len(raw) {
				if _, size, err := parseFrame(raw[:cut]); size != 0 || err != nil {
					t.Errorf("%d bytes of a frame of %d: size %d, %v", cut, length, size, err)
				}
			}
		}
		f, size, err := parseFrame(append(raw, "more"...))
		if err != nil || size != len(raw) || f.op != opText || !f.fin || !bytes.Equal(f.payload, payload) {
			t.Errorf("a frame of %d: %v, size %d, %v", length, f.op, size, err)
		}
	}
	for name, bad := range map[string][]byte{
		"masked": {0x81, 0x80}, "reserved bit": {0xc1, 0}, "too long": {0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		if _, _, err := parseFrame(bad); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestHeadsAreRead(t *testing.T) {
	for text, want := range map[string][2]int{
		"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\nrest": {101, 42},
		"HTTP/1.1 503 No\r\n\r\n":                              {503, 19},
		"HTTP/1.1 101 Switching":                               {0, 0},
	} {
		status, size, err := parseHead([]byte(text))
		if err != nil || status != want[0] || size != want[1] {
			t.Errorf("%q: %d, %d, %v", text, status, size, err)
		}
	}
	for _, bad := range []string{"SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"} {
		if _, _, err := parseHead([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	l := newLoop(&Options{Event: "message", Receipt: "bench:receipt", Streams: 1}, 0, 1)
	c := &l.clients[0]
	c.state = up
	l.stats.Latency.Add(1)
	number := uint32(0)
	text := make([]byte, 0, 1024)
	count := func() {
		number++
		text = append(AppendMark(append(text[:0], `42["message",`...), 0, number, 1), `,{}]`...)
		if err := l.packet(c, text); err != nil {
			t.Fatal(err)
		}
		l.out = l.out[:0]
	}
	count()
	if n := testing.AllocsPerRun(1000, count); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
	if l.stats.Delivered < 1000 {
		t.Errorf("%d delivered", l.stats.Delivered)
	}
}
