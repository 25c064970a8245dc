package socketio

import (
	"bytes"
	"testing"
)

func mustParse(t testing.TB, text string) Packet {
	t.Helper()
	p, err := Parse([]byte(text), Rev5, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAssemblerPutsAPacketTogether(t *testing.T) {
	var a Assembler
	in := []byte(`52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
	p, err := Parse(in, Rev5, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := a.Packet(p); done || err != nil || !a.Waiting() {
		t.Fatal(done, err)
	}
	clear(in) // the transport reuses its buffer
	att := []byte{1, 2}
	if done, err := a.Binary(att); done || err != nil {
		t.Fatal(done, err)
	}
	clear(att)
	if done, err := a.Binary([]byte{3}); !done || err != nil || a.Waiting() {
		t.Fatal(done, err)
	}
	p, list := a.Take()
	if p.Type != BinaryEvent || string(p.Data) != `["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]` {
		t.Errorf("%+v %s", p, p.Data)
	}
	if len(list) != 2 || !bytes.Equal(list[0], []byte{1, 2}) || !bytes.Equal(list[1], []byte{3}) {
		t.Errorf("attachments %v", list)
	}
	if done, err := a.Packet(mustParse(t, `2["b"]`)); !done || err != nil {
		t.Errorf("the next packet: %v %v", done, err)
	}
	if p, list := a.Take(); string(p.Data) != `["b"]` || list != nil {
		t.Errorf("%s %v", p.Data, list)
	}
}

func TestAssemblerRefusesTheWrongOrder(t *testing.T) {
	var a Assembler
	if _, err := a.Binary([]byte{1}); err != ErrBinary {
		t.Errorf("binary out of the blue: %v", err)
	}
	if _, err := a.Packet(mustParse(t, `51-["a"]`)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Packet(mustParse(t, `2["b"]`)); err != ErrText {
		t.Errorf("text while attachments are missing: %v", err)
	}
	if a.Waiting() {
		t.Error("waits after an error")
	}
	if done, err := a.Packet(mustParse(t, `2["b"]`)); !done || err != nil {
		t.Error(done, err)
	}
	a.Take()
	if _, err := a.Binary([]byte{1}); err != ErrBinary {
		t.Errorf("binary after a text packet: %v", err)
	}
}

func TestAssemblerBoundsWhatItKeeps(t *testing.T) {
	text := `52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	size := len(text) - len("52-")
	for _, tt := range []struct {
		max, first, second int
		want               error
	}{
		{size + 100, 60, 40, nil},
		{size + 100, 60, 41, ErrTooLarge},
		{size + 100, 6000, 0, ErrTooLarge},
		{size - 1, 0, 0, ErrTooLarge},
		{0, 900_000, 100_000, ErrTooLarge},
		{0, 900_000, 90_000, nil},
	} {
		a := Assembler{MaxBytes: tt.max}
		_, err := a.Packet(mustParse(t, text))
		if err == nil {
			_, err = a.Binary(make([]byte, tt.first))
		}
		if err == nil {
			_, err = a.Binary(make([]byte, tt.second))
		}
		if err != tt.want || err != nil && (a.Waiting() || a.packet.Data != nil || a.attachments != nil) {
			t.Errorf("%+v: %v, %+v", tt, err, a)
		}
		if a.MaxBytes != tt.max {
			t.Error("the limit got lost")
		}
	}
}

func TestAnAttachmentThatIsNotReferredToIsDropped(t *testing.T) {
	a := Assembler{MaxBytes: 200}
	if _, err := a.Packet(mustParse(t, `53-["a",{"_placeholder":true,"num":1}]`)); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{make([]byte, 1000), {7}, make([]byte, 1000)} {
		if _, err := a.Binary(b); err != nil {
			t.Fatal(err)
		}
	}
	p, list := a.Take()
	if p.Attachments != 3 || len(list) != 3 || len(list[0]) != 0 || len(list[2]) != 0 || !bytes.Equal(list[1], []byte{7}) {
		t.Errorf("%d %v", p.Attachments, list)
	}
}

func TestAPacketMadeByHandKeepsAllAttachments(t *testing.T) {
	var a Assembler
	if _, err := a.Packet(Packet{Type: BinaryEvent, Data: []byte(`["a"]`), Attachments: 1}); err != nil {
		t.Fatal(err)
	}
	if done, _ := a.Binary([]byte{1}); !done {
		t.Fatal("not done")
	}
	if _, list := a.Take(); len(list) != 1 || len(list[0]) != 1 {
		t.Errorf("%v", list)
	}
}

func TestAssemblerCostsNothingWithoutAttachments(t *testing.T) {
	var a Assembler
	p := mustParse(t, `2["a",1]`)
	if n := testing.AllocsPerRun(100, func() {
		if done, err := a.Packet(p); !done || err != nil {
			t.Error(done, err)
		}
		a.Take()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
