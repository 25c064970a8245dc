package socketio

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// seedTexts adds everything under testdata as seeds.
func seedTexts(f *testing.F, add func(text string)) {
	var verdicts []struct{ Text string }
	readTestdata(f, "verdicts.json", &verdicts)
	for _, v := range verdicts {
		add(v.Text)
	}
	var ref referenceFile
	readTestdata(f, "reference.json", &ref)
	for _, p := range ref.Packets {
		add(p.Text4)
	}
}

// checkPacket holds what every accepted packet promises.
func checkPacket(t *testing.T, p Packet, lim Limits) {
	t.Helper()
	lim = lim.filled()
	if p.Data != nil && !json.Valid(p.Data) {
		t.Fatalf("data is not JSON: %q", p.Data)
	}
	if p.Type > BinaryAck || p.Type.Binary() != (p.Attachments > 0) || p.Attachments > lim.Attachments {
		t.Fatalf("type %d with %d attachments", p.Type, p.Attachments)
	}
	if len(p.Namespace) == 0 || p.Namespace[0] != '/' || len(p.Namespace) > lim.Namespace || p.ID > MaxAckID {
		t.Fatalf("header %+v", p)
	}
	if p.Type != Event && p.Type != BinaryEvent {
		return
	}
	name, args, err := EventArgs(p.Data, lim)
	if err != nil || len(name) > lim.EventName || Reserved(name) {
		t.Fatalf("%q has the event name %q: %v", p.Data, name, err)
	}
	if err := CheckArgs(args, p.Attachments, lim); err != nil {
		t.Fatalf("%q has the arguments %q: %v", p.Data, args, err)
	}
}

func FuzzParse(f *testing.F) {
	seedTexts(f, func(text string) {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	})
	f.Fuzz(func(t *testing.T, in []byte, rev5 bool) {
		rev := Rev4
		if rev5 {
			rev = Rev5
		}
		before := bytes.Clone(in)
		p, err := Parse(in, rev, Limits{})
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if _, ok := err.(Reason); !ok {
				t.Fatalf("%v is not a Reason", err)
			}
			return
		}
		checkPacket(t, p, Limits{})
		if p.Type != Event && p.Type != BinaryEvent {
			return
		}
		name, args, _ := EventArgs(p.Data, Limits{})
		if !utf8.ValidString(name) {
			return // appended with U+FFFD
		}
		out := AppendEvent(nil, p.Namespace, name, args, p.Attachments, p.HasID, p.ID, "")
		q, err := Parse(out, Rev5, Limits{})
		if err != nil {
			t.Fatalf("%q came out as %q: %v", in, out, err)
		}
		name2, args2, _ := EventArgs(q.Data, Limits{})
		if name2 != name || !bytes.Equal(args, args2) || q.ID != p.ID || q.HasID != p.HasID || q.Namespace != p.Namespace || q.Attachments != p.Attachments || q.unused != p.unused {
			t.Fatalf("%q came back as %q", in, out)
		}
	})
}

func FuzzParseMsgpack(f *testing.F) {
	var ref referenceFile
	readTestdata(f, "reference.json", &ref)
	for _, p := range ref.Packets {
		f.Add([]byte(p.Msgpack))
	}
	for _, d := range ref.Dates {
		f.Add([]byte(d.Notepack3))
		f.Add([]byte(d.Notepack2))
	}
	for _, o := range ref.Others {
		f.Add([]byte(o.Frame))
	}
	f.Add([]byte("\x84\xa4type\x05\xa4data\x92\xa1m\xc4\x01\x03\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/"))
	f.Add([]byte("\x84\xa4type\x06\xa4data\x91\x01\xa2id\x07\xa3nsp\xa1/"))
	f.Fuzz(func(t *testing.T, in []byte) {
		throughMsgpack(t, in, Rev5)
		throughMsgpack(t, in, Rev4)
	})
}

// throughMsgpack holds what every accepted frame promises, and sends it back.
func throughMsgpack(t *testing.T, in []byte, rev Revision) {
	t.Helper()
	lim := Limits{MessageBytes: 10_000}
	p, att, err := ParseMsgpack(in, rev, lim)
	if err != nil {
		if p.Data != nil || att != nil {
			t.Fatalf("%v and %+v %v", err, p, att)
		}
		return
	}
	checkPacket(t, p, lim)
	size := len(p.Data)
	for _, b := range att {
		size += len(b)
	}
	if len(att) != p.Attachments || size > lim.MessageBytes || !utf8.Valid(p.Data) {
		t.Fatalf("%d attachments, announced %d, %d bytes: %q", len(att), p.Attachments, size, p.Data)
	}
	if p.Type != Event && p.Type != BinaryEvent && !p.HasID {
		return
	}
	again, err := againMsgpack(p, att)
	if err != nil {
		t.Fatalf("%s does not go back: %v", p.Data, err)
	}
	q, att2, err := ParseMsgpack(again, Rev5, Limits{})
	if err != nil {
		t.Fatalf("%s went back as %x: %v", p.Data, again, err)
	}
	if p.Type == Event || p.Type == BinaryEvent {
		// A numeric name becomes a string.
		_, p.Data, _ = EventArgs(p.Data, lim)
		_, q.Data, _ = EventArgs(q.Data, lim)
	}
	if p.Type != Connect && p.Type != ConnectError && (!bytes.Equal(p.Data, q.Data) || len(att) != len(att2)) {
		t.Fatalf("%q came back as %q", p.Data, q.Data)
	}
}

func FuzzJSONThroughMsgpack(f *testing.F) {
	seedTexts(f, func(text string) {
		if p, err := Parse([]byte(text), Rev5, Limits{}); err == nil && p.Type == Event {
			_, args, _ := EventArgs(p.Data, Limits{})
			f.Add(args)
		}
	})
	f.Fuzz(func(t *testing.T, args []byte) {
		if CheckArgs(args, 0, Limits{}) != nil {
			if _, err := AppendMsgpackEvent(nil, "/", "a", args, nil, false, 0, ""); err == nil && CheckArgs(args, 0, Limits{Depth: packDepth}) != nil {
				// White space behind the array is harmless here.
				if CheckArgs(bytes.TrimRight(args, " \t\r\n"), 0, Limits{Depth: packDepth}) != nil {
					t.Fatalf("%q was taken", args)
				}
			}
			return
		}
		frame, err := AppendMsgpackEvent(nil, "/", "a", args, nil, true, 7, "")
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		p, att, err := ParseMsgpack(frame, Rev5, Limits{MessageBytes: 64 << 20})
		if err != nil || att != nil {
			t.Fatalf("%q became %x: %v %v", args, frame, att, err)
		}
		_, back, err := EventArgs(p.Data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var x, y any
		if json.Unmarshal(args, &x) != nil {
			return // a number that no float64 holds
		}
		if err := json.Unmarshal(back, &y); err != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("%q came back as %q", args, back)
		}
	})
}

// FuzzAssembler feeds messages in any order: each byte of the script is a text
// packet with that many attachments, or a binary message.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 1, 255, 2, 255, 255, 255, 3, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		a := Assembler{MaxBytes: 64}
		missing := 0
		for _, op := range script {
			var done bool
			var err error
			if op >= 128 {
				done, err = a.Binary(make([]byte, op-128))
				if (missing == 0) != (err == ErrBinary) {
					t.Fatalf("%d missing: %v", missing, err)
				}
				missing--
			} else {
				n := int(op % 11)
				done, err = a.Packet(Packet{Type: BinaryEvent, Data: []byte(`["a"]`), Attachments: n})
				if (missing > 0) != (err == ErrText) {
					t.Fatalf("%d missing: %v", missing, err)
				}
				missing = n
			}
			if err != nil {
				missing = 0
			}
			if a.Waiting() != (missing > 0) || done != (err == nil && missing == 0) {
				t.Fatalf("%d missing, waiting %v, done %v, %v", missing, a.Waiting(), done, err)
			}
			if done {
				if p, list := a.Take(); len(list) != p.Attachments {
					t.Fatalf("%d attachments of %d", len(list), p.Attachments)
				}
			}
		}
	})
}

func FuzzParseMsgpackText(f *testing.F) {
	for _, text := range []string{
		`{"type":0,"nsp":"/"}`, `{"type":0,"query":"token=a","nsp":"/custom?token=a"}`, `{"type":1,"nsp":"/\u0061"}`,
		`{"type":1,"nsp":"/a","options":{"compress":[true,null]},"type":0}`, `{"type":4,"nsp":"/","data":"x"}`, `{`, `{}`, `{"":{}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := ParseMsgpackText(in, Limits{})
		if err != nil {
			if _, ok := err.(Reason); !ok {
				t.Fatalf("%v is not a Reason", err)
			}
			return
		}
		checkPacket(t, p, Limits{})
		if p.Type > Disconnect || p.Data != nil || p.HasID || !json.Valid(in) {
			t.Fatalf("%q gave %+v", in, p)
		}
		q, err := ParseMsgpackText(AppendMsgpackText(nil, p.Type, p.Namespace), Limits{})
		if err != nil || q.Type != p.Type || q.Namespace != p.Namespace {
			t.Fatalf("%+v came back as %+v: %v", p, q, err)
		}
	})
}
