package engineio

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// benchForms are how a poll's answer, or a POST, of ten packets may look.
var benchForms = map[string]Form{"v4": FormV4, "v3 text": FormText3, "v3 binary": FormBinary3}

var benchText, benchBinary = []byte(strings.Repeat("x", 200)), []byte(strings.Repeat("\x00\xff", 50))

// tenPackets are nine messages and an attachment.
func tenPackets(dst []byte, f Form) []byte {
	for n := range 9 {
		dst = AppendElement(dst, Message, benchText, f, n == 0)
	}
	return AppendBinaryElement(dst, benchBinary, f, false)
}

func BenchmarkReadPayload(b *testing.B) {
	for name, f := range benchForms {
		b.Run(name, func(b *testing.B) {
			body := tenPackets(nil, f)
			work := make([]byte, len(body))
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				copy(work, body) // it is read in place
				p := NewPayload(work, f)
				for {
					if _, err := p.Next(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkAppendPayload(b *testing.B) {
	for name, f := range benchForms {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				buf = tenPackets(buf[:0], f)
			}
		})
	}
}

func BenchmarkDecodeText(b *testing.B) {
	packet := AppendText(nil, Message, benchText)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeText(packet, V4); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseQuery(b *testing.B) {
	for name, raw := range map[string]string{
		"plain": "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA&t=abc",
		"flood": strings.Repeat("a=b&", 500) + "EIO=4",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseQuery(raw)
			}
		})
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	for name, p := range map[string]Policy{
		"fixed":   {Interval: 25_000, Timeout: 20_000},
		"growing": {Interval: 25_000, Timeout: 20_000, Start: 10_000, Step: 5000, Retry: 1000, Missed: 3000, GrowAfter: 3},
	} {
		b.Run(name, func(b *testing.B) {
			var h Heartbeat
			now := h.Begin(&p, V4, false, 0)
			b.ReportAllocs()
			for b.Loop() {
				_, now = h.Tick(&p, V4, now, now)
			}
		})
	}
}

func TestWritingDoesNotAllocateInASufficientBuffer(t *testing.T) {
	buf := make([]byte, 0, 8192)
	for name, f := range benchForms {
		if n := testing.AllocsPerRun(100, func() { tenPackets(buf, f) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
