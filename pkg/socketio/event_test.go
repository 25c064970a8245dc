package socketio

import "testing"

func TestEventArgs(t *testing.T) {
	tests := []struct{ in, name, args string }{
		{`["a"]`, "a", `[]`},
		{`["a",1]`, "a", `[1]`},
		{`["a",{"b":[1,2]},"]"]`, "a", `[{"b":[1,2]},"]"]`},
		{`[ "a" , 1 , 2 ]`, "a", `[1 , 2 ]`},
		{`[""]`, "", `[]`},
		{`["a,b",1]`, "a,b", `[1]`},
		{`["\u00e9\"",1]`, "é\"", `[1]`},
		{`["\ud800"]`, "\uFFFD", `[]`},
		{`[12,"a"]`, "12", `["a"]`},
		{`[-1.50e3]`, "-1.50e3", `[]`},
		{`["__proto__"]`, "__proto__", `[]`},
		{`["error"]`, "error", `[]`},
	}
	for _, tt := range tests {
		name, args, err := EventArgs([]byte(tt.in), Limits{})
		if err != nil || name != tt.name || string(args) != tt.args {
			t.Errorf("%s: %q %s %v", tt.in, name, args, err)
		}
	}
}

func TestEventArgsRefuses(t *testing.T) {
	for in, want := range map[string]Reason{
		``: ErrPayload, `[`: ErrPayload, `[]`: ErrPayload, `[ ]`: ErrPayload, `{}`: ErrPayload, `"a"`: ErrPayload,
		`[null]`: ErrPayload, `[["a"]]`: ErrPayload, `[{"_placeholder":true,"num":0}]`: ErrPayload,
		`["a",]`: ErrPayload, `["a" 1]`: ErrPayload, `["a]`: ErrJSON,
		`["disconnecting"]`: ErrReserved, `["newListener",1]`: ErrReserved, `["\u0064isconnect"]`: ErrReserved,
	} {
		if name, args, err := EventArgs([]byte(in), Limits{}); err != want {
			t.Errorf("%s: %q %s %v, want %v", in, name, args, err, want)
		}
	}
}

func TestEventArgsOutliveTheInput(t *testing.T) {
	in := []byte(`["name",{"a":1}]`)
	name, args, err := EventArgs(in, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	clear(in)
	if name != "name" || string(args) != `[{"a":1}]` {
		t.Errorf("%q %s", name, args)
	}
}

func TestSplitEventDoesNotAllocate(t *testing.T) {
	in := []byte(`["name",{"a":1},2]`)
	n := testing.AllocsPerRun(100, func() {
		name, list, err := SplitEvent(in, Limits{})
		if err != nil || string(name) != "name" || string(list) != `{"a":1},2` {
			t.Errorf("%s %s %v", name, list, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCheckArgs(t *testing.T) {
	for _, tt := range []struct {
		in          string
		attachments int
		want        error
	}{
		{`[]`, 0, nil},
		{`[1,{"a":null}]`, 0, nil},
		{`[{"_placeholder":true,"num":9}]`, 0, nil},
		{`[{"_placeholder":true,"num":1}]`, 2, nil},
		{`[{"_placeholder":true,"num":2}]`, 2, ErrPlaceholder},
		{`[]`, 11, ErrAttachments},
		{`[]`, -1, ErrAttachments},
		{``, 0, ErrPayload},
		{`{}`, 0, ErrPayload},
		{` []`, 0, ErrPayload},
		{`[] `, 0, ErrJSON},
		{`[][]`, 0, ErrJSON},
		{`[1`, 0, ErrJSON},
		{nested(32), 0, nil},
		{nested(33), 0, ErrDepth},
	} {
		if err := CheckArgs([]byte(tt.in), tt.attachments, Limits{}); err != tt.want {
			t.Errorf("%s with %d: %v, want %v", tt.in, tt.attachments, err, tt.want)
		}
	}
}
