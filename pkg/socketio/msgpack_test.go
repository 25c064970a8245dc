package socketio

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func TestMsgpackPacketsAreByteForByteThoseOfTheReference(t *testing.T) {
	var ref referenceFile
	readTestdata(t, "reference.json", &ref)
	for _, want := range ref.Packets {
		if !bytes.Equal(want.Msgpack, want.Msgpack3) {
			t.Errorf("%s: the reference's versions differ", want.Name)
		}
		text, textAtt, err := assembled([]byte(want.Text4), Rev5, plain(want.Attachments))
		if err != nil {
			t.Fatal(want.Name, err)
		}
		p, att, err := ParseMsgpack(want.Msgpack, Rev5, Limits{})
		if err != nil {
			t.Errorf("%s: %v", want.Name, err)
			continue
		}
		if !samePacket(p, text) && !sameNumbers(p.Data, text.Data) {
			t.Errorf("%s:\n%+v %s, the text form says\n%+v %s", want.Name, p, p.Data, text, text.Data)
		}
		if len(att) != len(textAtt) {
			t.Errorf("%s: %d attachments", want.Name, len(att))
		}
		for i := range att {
			if !bytes.Equal(att[i], textAtt[i]) {
				t.Errorf("%s: attachment %d is %x", want.Name, i, att[i])
			}
		}
		if strings.HasPrefix(want.Name, "connect with auth") || want.Name == "connect" || want.Name == "connect custom" || want.Name == "event number name" {
			continue // only clients send these
		}
		got, err := againMsgpack(p, att)
		if err != nil || !bytes.Equal(got, want.Msgpack) {
			t.Errorf("%s: appended\n%x, want\n%x, %v", want.Name, got, want.Msgpack, err)
		}
	}
}

// sameNumbers compares JSON by value: 123456.789 and 1.5e300 have more than one
// spelling.
func sameNumbers(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// againMsgpack appends a parsed packet the way a server would send it.
func againMsgpack(p Packet, att [][]byte) ([]byte, error) {
	switch p.Type {
	case Event, BinaryEvent:
		name, args, err := EventArgs(p.Data, Limits{})
		if err != nil {
			return nil, err
		}
		return AppendMsgpackEvent(nil, p.Namespace, name, args, att, p.HasID, p.ID, "")
	case Ack, BinaryAck:
		return AppendMsgpackAck(nil, p.Namespace, p.ID, p.Data, att)
	case Disconnect:
		return AppendMsgpackDisconnect(nil, p.Namespace), nil
	}
	var d struct {
		Sid, Pid, Message string
		Data              json.RawMessage
	}
	if p.Data != nil {
		if err := json.Unmarshal(p.Data, &d); err != nil {
			return nil, err
		}
	}
	if p.Type == Connect {
		return AppendMsgpackConnect(nil, p.Namespace, d.Sid, d.Pid), nil
	}
	return AppendMsgpackConnectError(nil, p.Namespace, d.Message, d.Data)
}

func TestMsgpackDatesBecomeTheStringsOfJSON(t *testing.T) {
	var ref referenceFile
	readTestdata(t, "reference.json", &ref)
	for _, d := range ref.Dates {
		for which, frame := range map[string][]byte{"notepack 3": d.Notepack3, "notepack 2": d.Notepack2} {
			p, _, err := ParseMsgpack(frame, Rev5, Limits{})
			if want := `["d",` + d.JSON + `]`; err != nil || string(p.Data) != want {
				t.Errorf("%v from %s: %s %v, want %s", d.MS, which, p.Data, err, want)
			}
		}
	}
}

func TestMsgpackValuesThatJSONDoesNotHave(t *testing.T) {
	var ref referenceFile
	readTestdata(t, "reference.json", &ref)
	for _, o := range ref.Others {
		p, att, err := ParseMsgpack(o.Frame, Rev5, Limits{})
		if err != nil || string(p.Data) != o.JSON || len(att) != len(o.Attachments) || len(att) == 1 && !bytes.Equal(att[0], o.Attachments[0]) {
			t.Errorf("%s: %s %x %v, want %s", o.Name, p.Data, att, err, o.JSON)
		}
	}
}

// eventFrame is an event whose data is the given MessagePack array.
func eventFrame(data string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(data, " ", ""))
	if err != nil {
		panic(err)
	}
	return []byte("\x83" + keyType + "\x02" + keyData + string(b) + keyNsp + "\xa1/")
}

func TestMsgpackConversion(t *testing.T) {
	for data, want := range map[string]string{
		"92 a161 c0":                                       `["a",null]`,
		"92 05 c3":                                         `[5,true]`,
		"92 ff c2":                                         `[-1,false]`,
		"92 a161 ca3f000000":                               `["a",0.5]`,
		"92 a161 cb3eb0c6f7a0b5ed8d":                       `["a",0.000001]`,
		"92 a161 cb3e7ad7f29abcaf48":                       `["a",1e-7]`,
		"92 a161 cb444b1ae4d6e2ef50":                       `["a",1e+21]`,
		"92 a161 cb0000000000000001":                       `["a",5e-324]`,
		"92 a161 cfffffffffffffffff":                       `["a",18446744073709551615]`,
		"92 a161 d38000000000000000":                       `["a",-9223372036854775808]`,
		"92 a161 d0ff":                                     `["a",-1]`,
		"92 a161 d1ff00":                                   `["a",-256]`,
		"92 a161 d2ffff0000":                               `["a",-65536]`,
		"92 a161 d903c328":                                 ``,
		"92 a161 d902c328":                                 `["a","` + "\uFFFD(" + `"]`,
		"92 a161 81a16280":                                 `["a",{"b":{}}]`,
		"92 a161 81a122c0":                                 `["a",{"\"":null}]`,
		"92 a161 dc0001dd00000001a162":                     `["a",[["b"]]]`,
		"92 a161 de0001a162df00000001a163c0":               `["a",{"b":{"c":null}}]`,
		"92 a161 c40101":                                   `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 c500020102":                               `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 c60000000101":                             `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 c7010009":                                 `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 c8000100ff":                               `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 c90000000000":                             `["a",{"_placeholder":true,"num":0}]`,
		"93 a161 c40101 c40102":                            `["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
		"92 a161 82ac5f706c616365686f6c646572c3a36e756d00": `["a",{"_placeholder":true,"num":0}]`,
		"92 a161 d7007fffffffffffffff":                     `["a",null]`,
		"92 a161 c70cff0000000000ffffffffffffff":           `["a",null]`,
		"92 a161 c70cff00000001ffffffffffffffff":           `["a","1969-12-31T23:59:59.001Z"]`,
	} {
		p, _, err := ParseMsgpack(eventFrame(data), Rev5, Limits{})
		if want == "" {
			if err == nil {
				t.Errorf("%s: %s", data, p.Data)
			}
			continue
		}
		if err != nil || string(p.Data) != want {
			t.Errorf("%s: %s %v, want %s", data, p.Data, err, want)
		}
		if err == nil && !json.Valid(p.Data) {
			t.Errorf("%s: not JSON", data)
		}
	}
}

func TestMsgpackRefuses(t *testing.T) {
	field := func(s ...string) []byte { return []byte(strings.Join(s, "")) }
	ok := keyType + "\x02" + keyData + "\x91\xa1a"
	for name, tt := range map[string]struct {
		in   []byte
		want Reason
	}{
		"nothing":                {nil, ErrEmpty},
		"no map":                 {[]byte("\x91\x00"), ErrMsgpack},
		"unassigned byte":        {[]byte("\xc1"), ErrMsgpack},
		"empty map":              {[]byte("\x80"), ErrType},
		"too many fields":        {append([]byte("\xde\x00\x11"), bytes.Repeat([]byte("\xa1x\xc0"), 17)...), ErrMsgpack},
		"key is a number":        {field("\x81\x01\x02"), ErrMsgpack},
		"key is nil":             {field("\x81\xc0\x02"), ErrMsgpack},
		"type missing":           {field("\x82", keyData, "\x91\xa1a", keyNsp, "\xa1/"), ErrType},
		"type 5":                 {field("\x83", keyType, "\x05", keyData, "\x91\xa1a", keyNsp, "\xa1/"), ErrType},
		"type negative":          {field("\x83", keyType, "\xff", keyData, "\x91\xa1a", keyNsp, "\xa1/"), ErrType},
		"type text":              {field("\x83", keyType, "\xa12", keyData, "\x91\xa1a", keyNsp, "\xa1/"), ErrType},
		"namespace missing":      {field("\x82", ok), ErrNamespace},
		"namespace empty":        {field("\x83", ok, keyNsp, "\xa0"), ErrNamespace},
		"namespace without root": {field("\x83", ok, keyNsp, "\xa1a"), ErrNamespace},
		"namespace a number":     {field("\x83", ok, keyNsp, "\x01"), ErrNamespace},
		"namespace not UTF-8":    {field("\x83", ok, keyNsp, "\xa2/\xff"), ErrNamespace},
		"namespace too long":     {field("\x83", ok, keyNsp, "\xd9\x81/", strings.Repeat("x", 128)), ErrNamespace},
		"id negative":            {field("\x84", ok, keyNsp, "\xa1/", keyID, "\xff"), ErrAckID},
		"id fractional":          {field("\x84", ok, keyNsp, "\xa1/", keyID, "\xca\x3f\x00\x00\x00"), ErrAckID},
		"id huge":                {field("\x84", ok, keyNsp, "\xa1/", keyID, "\xcf\x00\x20\x00\x00\x00\x00\x00\x00"), ErrAckID},
		"id nil":                 {field("\x84", ok, keyNsp, "\xa1/", keyID, "\xc0"), ErrAckID},
		"id text":                {field("\x84", ok, keyNsp, "\xa1/", keyID, "\xa11"), ErrAckID},
		"event without data":     {field("\x82", keyType, "\x02", keyNsp, "\xa1/"), ErrPayload},
		"event data a map":       {field("\x83", keyType, "\x02", keyData, "\x80", keyNsp, "\xa1/"), ErrPayload},
		"event data empty":       {eventFrame("90"), ErrPayload},
		"event name nil":         {eventFrame("91 c0"), ErrPayload},
		"event name binary":      {eventFrame("91 c40101"), ErrPayload},
		"event name reserved":    {eventFrame("91 a7 636f6e6e656374"), ErrReserved},
		"ack without data":       {field("\x82", keyType, "\x03", keyNsp, "\xa1/"), ErrPayload},
		"connect data an array":  {field("\x83", keyType, "\x00", keyData, "\x90", keyNsp, "\xa1/"), ErrPayload},
		"connect data nil":       {field("\x83", keyType, "\x00", keyData, "\xc0", keyNsp, "\xa1/"), ErrPayload},
		"connect data binary":    {field("\x83", keyType, "\x00", keyData, "\x81\xa1a\xc4\x00", keyNsp, "\xa1/"), ErrPayload},
		"disconnect with data":   {field("\x83", keyType, "\x01", keyData, "\x80", keyNsp, "\xa1/"), ErrPayload},
		"trailing byte":          {field("\x83", ok, keyNsp, "\xa1/", "\xc0"), ErrMsgpack},
		"truncated":              {field("\x83", ok, keyNsp, "\xa1"), ErrMsgpack},
		"array declared 2^32":    {eventFrame("dd ffffffff"), ErrMsgpack},
		"map declared 2^32":      {eventFrame("92 a161 df ffffffff"), ErrMsgpack},
		"text declared 2^32":     {eventFrame("92 a161 db ffffffff"), ErrMsgpack},
		"binary declared 2^32":   {eventFrame("92 a161 c6 ffffffff"), ErrMsgpack},
		"ext declared 2^32":      {eventFrame("92 a161 c9 ffffffff 00"), ErrMsgpack},
		"unknown ext":            {eventFrame("92 a161 d401 00"), ErrMsgpack},
		"ext 0 of two bytes":     {eventFrame("92 a161 d500 0000"), ErrMsgpack},
		"timestamp of 16 bytes":  {eventFrame("92 a161 d8ff" + strings.Repeat("00", 16)), ErrMsgpack},
		"forged placeholder":     {eventFrame("93 a161 c40101 82ac5f706c616365686f6c646572c3a36e756d00"), ErrPlaceholder},
		"forged before":          {eventFrame("93 a161 82ac5f706c616365686f6c646572c3a36e756d00 c40101"), ErrPlaceholder},
		"map key a number":       {eventFrame("92 a161 81 01 c0"), ErrMsgpack},
	} {
		if p, _, err := ParseMsgpack(tt.in, Rev5, Limits{}); err != tt.want {
			t.Errorf("%s: %+v %s %v, want %v", name, p, p.Data, err, tt.want)
		}
	}
}

func TestMsgpackLimits(t *testing.T) {
	frame := func(v any) []byte {
		b, err := msgpack.Marshal(map[string]any{"type": 2, "nsp": "/", "data": v})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name  string
		limit int
		in    func(n int) []byte
		want  Reason
	}{
		{"attachments", 10, func(n int) []byte {
			list := []any{"a"}
			for range n {
				list = append(list, []byte{1})
			}
			return frame(list)
		}, ErrAttachments},
		{"depth", 32, func(n int) []byte {
			var v any = 1
			for range n - 1 {
				v = []any{v}
			}
			return frame([]any{"a", v})
		}, ErrDepth},
		{"event name", 64, func(n int) []byte { return frame([]any{strings.Repeat("x", n)}) }, ErrEventName},
		{"message", 1000 - len(`["a",""]`), func(n int) []byte { return frame([]any{"a", strings.Repeat("x", n)}) }, ErrTooLarge},
		{"message of a map", 1000 - len(`["a",{"k":"","l":1}]`), func(n int) []byte {
			return frame([]any{"a", map[string]any{"k": strings.Repeat("x", n), "l": 1}})
		}, ErrTooLarge},
		{"message of one attachment", 1000 - len(`["a",{"_placeholder":true,"num":0}]`), func(n int) []byte { return frame([]any{"a", make([]byte, n)}) }, ErrTooLarge},
	}
	for _, tt := range tests {
		lim := Limits{}
		if tt.want == ErrTooLarge {
			lim.MessageBytes = 1000
		}
		for _, n := range []int{tt.limit, tt.limit + 1, tt.limit * 100} {
			_, _, err := ParseMsgpack(tt.in(n), Rev5, lim)
			if n == tt.limit && err != nil || n > tt.limit && err != tt.want {
				t.Errorf("%s of %d: %v", tt.name, n, err)
			}
		}
	}
}

// A frame that declares much and holds nothing must cost next to nothing.
func TestMsgpackDeclaredLengthsAreNotAllocated(t *testing.T) {
	big := eventFrame("92 a161 c6 7fffffff")
	if n := testing.AllocsPerRun(10, func() { _, _, _ = ParseMsgpack(big, Rev5, Limits{}) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
	// A million empty arrays turn into two bytes and a comma each, and stop at the limit.
	many := append([]byte("\xdd\x00\x0f\x42\x40"), bytes.Repeat([]byte{0x90}, 1_000_000)...)
	in := append([]byte("\x83"+keyType+"\x02"+keyNsp+"\xa1/"+keyData), many...)
	if _, _, err := ParseMsgpack(in, Rev5, Limits{}); err != ErrTooLarge {
		t.Errorf("expansion: %v", err)
	}
}

func TestMsgpackAppendFailsOnWhatIsNotArguments(t *testing.T) {
	dst := []byte("kept")
	for in, want := range map[string]Reason{``: ErrPayload, `{}`: ErrPayload, `[1`: ErrJSON, `[1]x`: ErrJSON, `[{"_placeholder":true,"num":1}]`: ErrPlaceholder} {
		if got, err := AppendMsgpackEvent(dst, "/", "a", []byte(in), [][]byte{{1}}, false, 0, ""); err != want || string(got) != "kept" {
			t.Errorf("event %s: %q %v", in, got, err)
		}
		if got, err := AppendMsgpackAck(dst, "/", 1, []byte(in), [][]byte{{1}}); err != want || string(got) != "kept" {
			t.Errorf("ack %s: %q %v", in, got, err)
		}
	}
	if got, err := AppendMsgpackConnectError(dst, "/", "m", []byte(`{`)); err != ErrJSON || string(got) != "kept" {
		t.Errorf("connect error: %q %v", got, err)
	}
}

// An independent decoder reads what is appended.
func TestMsgpackAppendIsReadByAnotherDecoder(t *testing.T) {
	args := []byte(` [ {"_placeholder" : true,"num":1,"x":[[],{}]} , [ ], { }, "\u00e9\n\ud83d\ude00", -0, 1e2, 1.5, 1e400, 18446744073709551616, {"k":{"_placeholder":true,"num":0},"l":[null,true,false]} ]`[1:])
	b, err := AppendMsgpackEvent(nil, "", "ev", args, [][]byte{{1}, {2, 3}}, true, 300, "off")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := msgpack.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": int8(2), "nsp": "/", "id": uint16(300), "data": []any{
		"ev", []byte{2, 3}, []any{}, map[string]any{}, "é\n😀", int8(0), int8(100), 1.5, math.Inf(1), 18446744073709551616.0,
		map[string]any{"k": []byte{1}, "l": []any{nil, true, false}}, "off",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v\n%#v", got, want)
	}
}

func TestMsgpackNumbersAreThoseOfNotepack(t *testing.T) {
	for in, want := range map[string]string{
		"0": "00", "127": "7f", "128": "cc80", "-1": "ff", "-32": "e0", "-33": "d0df", "1.0": "01", "-1.0": "ff", "1e3": "cd03e8", "-0.0": "00",
		"9007199254740993": "cf0020000000000001", "0.5": "cb3fe0000000000000", "1e19": "cf8ac7230489e80000", "-1e19": "cbc3e158e460913d00", "1e20": "cb4415af1d78b58c40",
	} {
		if got := hex.EncodeToString(appendNumber(nil, []byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestMsgpackHeadersChangeWhereTheFormatSays(t *testing.T) {
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		str, bin := strings.Repeat("x", n), make([]byte, n)
		var list []any
		m := map[string]any{}
		for i := range n {
			list = append(list, true)
			m[decimal(i)] = true
		}
		want := []any{"a", str, bin, list, m}
		args, err := json.Marshal([]any{str, map[string]any{"_placeholder": true, "num": 0}, list, m})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			args = []byte(`["",{"_placeholder":true,"num":0},[],{}]`)
			want[3] = []any{}
		}
		frame, err := AppendMsgpackEvent(nil, "/", "a", args, [][]byte{bin}, false, 0, "")
		if err != nil {
			t.Fatal(n, err)
		}
		var got struct {
			Data []any `msgpack:"data"`
		}
		if err := msgpack.Unmarshal(frame, &got); err != nil || !reflect.DeepEqual(got.Data, want) {
			t.Errorf("%d: another decoder reads something else: %v", n, err)
		}
		shortest, err := msgpack.Marshal(str)
		if err != nil || !bytes.Contains(frame, shortest) {
			t.Errorf("%d: the text has not the shortest header", n)
		}
		p, att, err := ParseMsgpack(frame, Rev5, Limits{MessageBytes: 64 << 20})
		if err != nil || len(att) != 1 || !bytes.Equal(att[0], bin) {
			t.Errorf("%d: %v", n, err)
			continue
		}
		if _, back, err := EventArgs(p.Data, Limits{}); err != nil || !bytes.Equal(back, args) {
			t.Errorf("%d: the arguments came back differently: %v", n, err)
		}
	}
}
