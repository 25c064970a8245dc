package engineio

import (
	"bytes"
	"testing"
)

func TestDecodeText(t *testing.T) {
	for _, c := range []struct {
		in     string
		v      Version
		typ    Type
		binary bool
		data   string
		bad    bool
	}{
		{in: "4hello", v: V4, typ: Message, data: "hello"},
		{in: "4", v: V4, typ: Message},
		{in: "2probe", v: V4, typ: Ping, data: "probe"},
		{in: "3", v: V4, typ: Pong},
		{in: "0", v: V4, typ: Open},
		{in: "1", v: V4, typ: Close},
		{in: "5", v: V4, typ: Upgrade},
		{in: "6", v: V3, typ: Noop},
		{in: "4€😀", v: V4, typ: Message, data: "€😀"},
		{in: "bAQID", v: V4, typ: Message, binary: true, data: "\x01\x02\x03"},
		{in: "b4AQID", v: V3, typ: Message, binary: true, data: "\x01\x02\x03"},
		{in: "bAQI=", v: V4, typ: Message, binary: true, data: "\x01\x02"},
		{in: "bAQI", v: V4, typ: Message, binary: true, data: "\x01\x02"},
		{in: "b", v: V4, typ: Message, binary: true},
		{in: "b4", v: V3, typ: Message, binary: true},
		{in: "b", v: V3, bad: true},
		{in: "bAQID", v: V3, bad: true},
		{in: "b!!!!", v: V4, bad: true},
		{in: "bAQ=D", v: V4, bad: true},
		{in: "", v: V4, bad: true},
		{in: "7", v: V4, bad: true},
		{in: "abc", v: V4, bad: true},
		{in: "/", v: V4, bad: true},
		{in: "\xff4", v: V4, bad: true},
	} {
		p, err := DecodeText([]byte(c.in), c.v)
		if (err != nil) != c.bad {
			t.Errorf("%q v%d: error %v", c.in, c.v, err)
			continue
		}
		if err == nil && (p.Type != c.typ || p.Binary != c.binary || string(p.Data) != c.data) {
			t.Errorf("%q v%d: %+v", c.in, c.v, p)
		}
	}
}

func TestDecodeBinary(t *testing.T) {
	p, err := DecodeBinary([]byte{4, 1, 2}, V4)
	if err != nil || p.Type != Message || !bytes.Equal(p.Data, []byte{4, 1, 2}) {
		t.Errorf("v4: %+v %v", p, err)
	}
	p, err = DecodeBinary([]byte{4, 1, 2}, V3)
	if err != nil || p.Type != Message || !bytes.Equal(p.Data, []byte{1, 2}) {
		t.Errorf("v3: %+v %v", p, err)
	}
	for _, in := range [][]byte{nil, {7}, {'4', 1}} {
		if _, err = DecodeBinary(in, V3); err == nil {
			t.Errorf("v3 %x: no error", in)
		}
	}
	if p, err = DecodeBinary(nil, V4); err != nil || !p.Binary {
		t.Errorf("v4 empty: %+v %v", p, err)
	}
}

func TestAppendBinary(t *testing.T) {
	for _, v := range []Version{V3, V4} {
		for _, data := range [][]byte{nil, {1}, {1, 2}, bytes.Repeat([]byte{7}, 1000)} {
			b := AppendBinary(nil, data, v)
			if len(b) != BinaryLen(data, v) {
				t.Errorf("v%d: BinaryLen %d, appended %d", v, BinaryLen(data, v), len(b))
			}
			p, err := DecodeBinary(b, v)
			if err != nil || !bytes.Equal(p.Data, data) {
				t.Errorf("v%d %x: %+v %v", v, data, p, err)
			}
			b = AppendBase64(nil, data, v)
			if len(b) != Base64Len(data, v) {
				t.Errorf("v%d: Base64Len %d, appended %d", v, Base64Len(data, v), len(b))
			}
			p, err = DecodeText(b, v)
			if err != nil || !p.Binary || !bytes.Equal(p.Data, data) {
				t.Errorf("v%d base64 of %x: %+v %v", v, data, p, err)
			}
		}
	}
}

// Long base64 is decoded in steps: their seams must not show.
func TestBase64Seams(t *testing.T) {
	for n := 370; n < 400; n++ {
		data := bytes.Repeat([]byte{0xa5, 1, 0xff}, n)[:n]
		p, err := DecodeText(AppendBase64(nil, data, V4), V4)
		if err != nil || !bytes.Equal(p.Data, data) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	// Padding at the end of a step, with more behind it.
	step := AppendBase64(nil, bytes.Repeat([]byte{1}, 383), V4)
	if _, err := DecodeText(append(step, step[1:]...), V4); err == nil {
		t.Error("padding in the middle is taken")
	}
}

func TestReact(t *testing.T) {
	want := map[Version][7]Reaction{
		V4: {Open: Break, Close: Leave, Ping: Break, Pong: Heard, Message: Deliver, Upgrade: Break, Noop: Heard},
		V3: {Open: Break, Close: Leave, Ping: Answer, Pong: Break, Message: Deliver, Upgrade: Break, Noop: Heard},
	}
	for v, row := range want {
		for typ, r := range row {
			if got := React(v, Type(typ)); got != r {
				t.Errorf("v%d packet %d: %d, want %d", v, typ, got, r)
			}
		}
	}
}
