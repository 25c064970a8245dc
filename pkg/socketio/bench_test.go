package socketio

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

var benchEvent = []byte(`2["edit",{"guid":"doc-4711","at":128,"ops":[{"insert":"hello, world"},{"retain":12},{"delete":3}],"at_ms":1700000000123}]`)

func BenchmarkParseEvent(b *testing.B) {
	for _, size := range []int{0, 1 << 10, 64 << 10} {
		in := benchEvent
		if size > 0 {
			in = append([]byte(`2["edit"`), bytes.Repeat([]byte(`,{"insert":"hello, world","at":12.5}`), size/36+1)...)
			in = append(in, ']')
		}
		b.Run(fmt.Sprintf("%dB", len(in)), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(in, Rev5, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEventArgs(b *testing.B) {
	p, err := Parse(benchEvent, Rev5, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := EventArgs(p.Data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	_, args, err := EventArgs(benchEvent[1:], Limits{})
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], "/", "edit", args, 0, false, 0, "0000000000001-1")
	}
}

func BenchmarkAppendAck(b *testing.B) {
	args := []byte(`["stored",{"id":17}]`)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendAck(buf[:0], "/", 17, args, 0)
	}
}

// An event with two attachments, which are copied.
func BenchmarkAssembler(b *testing.B) {
	p, err := Parse([]byte(`52-["blob",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), Rev5, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 1000)
	var a Assembler
	b.ReportAllocs()
	for b.Loop() {
		_, err1 := a.Packet(p)
		_, err2 := a.Binary(data)
		done, err3 := a.Binary(data)
		if err := errors.Join(err1, err2, err3); err != nil || !done {
			b.Fatal(done, err)
		}
		a.Take()
	}
}

func BenchmarkParseMsgpack(b *testing.B) {
	_, args, _ := EventArgs(benchEvent[1:], Limits{})
	frame, err := AppendMsgpackEvent(nil, "/", "edit", args, nil, false, 0, "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseMsgpack(frame, Rev5, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMsgpackEvent(b *testing.B) {
	_, args, _ := EventArgs(benchEvent[1:], Limits{})
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = AppendMsgpackEvent(buf[:0], "/", "edit", args, nil, false, 0, ""); err != nil {
			b.Fatal(err)
		}
	}
}
