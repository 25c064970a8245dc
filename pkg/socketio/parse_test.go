package socketio

import (
	"bytes"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		rev  Revision
		want Packet
	}{
		{`0`, Rev5, Packet{Type: Connect, Namespace: "/"}},
		{`0/custom`, Rev5, Packet{Type: Connect, Namespace: "/custom"}},
		{`0/custom,`, Rev5, Packet{Type: Connect, Namespace: "/custom"}},
		{`0/custom,{"a":1}`, Rev5, Packet{Type: Connect, Namespace: "/custom", Data: []byte(`{"a":1}`)}},
		{`0/custom?token=a`, Rev4, Packet{Type: Connect, Namespace: "/custom", Query: "token=a"}},
		{`0/custom?token=a`, Rev5, Packet{Type: Connect, Namespace: "/custom?token=a"}},
		{`0/custom?a=1&b=c?d,`, Rev4, Packet{Type: Connect, Namespace: "/custom", Query: "a=1&b=c?d"}},
		{`2/custom?a=1,["e"]`, Rev4, Packet{Type: Event, Namespace: "/custom", Query: "a=1", Data: []byte(`["e"]`)}},
		{`0/?a=1,`, Rev4, Packet{Type: Connect, Namespace: "/", Query: "a=1"}},
		{`1`, Rev5, Packet{Type: Disconnect, Namespace: "/"}},
		{`1/custom,`, Rev4, Packet{Type: Disconnect, Namespace: "/custom"}},
		{`2["a",{"b":[1]}]`, Rev5, Packet{Type: Event, Namespace: "/", Data: []byte(`["a",{"b":[1]}]`)}},
		{`2/n,0["a"]`, Rev5, Packet{Type: Event, Namespace: "/n", HasID: true, Data: []byte(`["a"]`)}},
		{`20007["a"]`, Rev5, Packet{Type: Event, Namespace: "/", HasID: true, ID: 7, Data: []byte(`["a"]`)}},
		{"2[\"a\"] \n", Rev5, Packet{Type: Event, Namespace: "/", Data: []byte(`["a"]`)}},
		{`29007199254740991["a"]`, Rev5, Packet{Type: Event, Namespace: "/", HasID: true, ID: MaxAckID, Data: []byte(`["a"]`)}},
		{`3[]`, Rev5, Packet{Type: Ack, Namespace: "/", Data: []byte(`[]`)}},
		{`312[null]`, Rev5, Packet{Type: Ack, Namespace: "/", HasID: true, ID: 12, Data: []byte(`[null]`)}},
		{`4"no"`, Rev4, Packet{Type: ConnectError, Namespace: "/", Data: []byte(`"no"`)}},
		{`51-/n,3["a",{"_placeholder":true,"num":0}]`, Rev5, Packet{Type: BinaryEvent, Namespace: "/n", HasID: true, ID: 3, Attachments: 1, Data: []byte(`["a",{"_placeholder":true,"num":0}]`)}},
		{`63-1[{"_placeholder":true,"num":1}]`, Rev5, Packet{Type: BinaryAck, Namespace: "/", HasID: true, ID: 1, Attachments: 3, Data: []byte(`[{"_placeholder":true,"num":1}]`), unused: 0b101}},
	}
	for _, tt := range tests {
		got, err := Parse([]byte(tt.in), tt.rev, Limits{})
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if !samePacket(got, tt.want) || got.unused != tt.want.unused {
			t.Errorf("%s:\n%+v, want\n%+v", tt.in, got, tt.want)
		}
	}
}

func samePacket(a, b Packet) bool {
	return a.Type == b.Type && a.Namespace == b.Namespace && a.Query == b.Query &&
		a.HasID == b.HasID && a.ID == b.ID && a.Attachments == b.Attachments &&
		bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil)
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in   string
		want Reason
	}{
		{``, ErrEmpty},
		{`7`, ErrType},
		{"\xff", ErrType},
		{`0[]`, ErrPayload},
		{`0"x"`, ErrPayload},
		{`0{"a":1}{`, ErrJSON},
		{"0/cus\x00tom,", ErrNamespace},
		{"0/cus\ntom,", ErrNamespace},
		{"0/\x7f,", ErrNamespace},
		{`1{}`, ErrPayload},
		{`2`, ErrPayload},
		{`2[]`, ErrPayload},
		{`2[ ]`, ErrPayload},
		{`2[null]`, ErrPayload},
		{`2[{}]`, ErrPayload},
		{`2{"a":1}`, ErrPayload},
		{`2"a"`, ErrPayload},
		{`2["a"`, ErrJSON},
		{`2["a`, ErrJSON},
		{`2["a"]]`, ErrJSON},
		{`2["connect"]`, ErrReserved},
		{`2["conn\u0065ct"]`, ErrReserved},
		{`2-1["a"]`, ErrPayload},
		{`29007199254740992["a"]`, ErrAckID},
		{`2` + strings.Repeat("9", 100_000) + `["a"]`, ErrAckID},
		{`50-["a"]`, ErrAttachments},
		{`5["a"]`, ErrAttachments},
		{`5-["a"]`, ErrAttachments},
		{`5-1-["a"]`, ErrAttachments},
		{`51.5-["a"]`, ErrAttachments},
		{`5` + strings.Repeat("9", 100_000) + `-["a"]`, ErrAttachments},
		{`5` + strings.Repeat("0", 100_000), ErrAttachments},
		{`51-["a",{"_placeholder":true,"num":1}]`, ErrPlaceholder},
		{`51-["a",{"_placeholder":true,"num":-1}]`, ErrPlaceholder},
		{`51-["a",{"_placeholder":true}]`, ErrPlaceholder},
		{`51-["a",{"_placeholder":true,"num":"0"}]`, ErrPlaceholder},
		{`51-[{"_placeholder":true,"num":0}]`, ErrPayload},
	}
	for _, tt := range tests {
		for _, rev := range []Revision{Rev4, Rev5} {
			if p, err := Parse([]byte(tt.in), rev, Limits{}); err != tt.want {
				t.Errorf("%.60q: %+v and %v, want %v", tt.in, p, err, tt.want)
			}
		}
	}
}

// Each limit is tried at the limit, one above and a hundred times above.
func TestParseLimits(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name  string
		rev   Revision
		limit int
		in    func(n int) string
		want  Reason
	}{
		{"attachments", Rev5, 10, func(n int) string {
			return strings.Join([]string{"5", decimal(n), `-["a"]`}, "")
		}, ErrAttachments},
		{"depth", Rev5, 32, func(n int) string { return "2" + nested(n) }, ErrDepth},
		{"depth of objects", Rev5, 32, func(n int) string {
			return `2["a",` + strings.Repeat(`{"k":`, n-1) + "1" + strings.Repeat("}", n-1) + "]"
		}, ErrDepth},
		{"depth of auth", Rev5, 32, func(n int) string {
			return `0` + strings.Repeat(`{"k":`, n) + "1" + strings.Repeat("}", n)
		}, ErrDepth},
		{"event name", Rev5, 64, func(n int) string { return `2["` + text(n) + `"]` }, ErrEventName},
		{"event name with escapes", Rev5, 64, func(n int) string {
			return `2["` + strings.Repeat(`\u00e9`, n/2) + text(n%2) + `"]`
		}, ErrEventName},
		{"numeric event name", Rev5, 64, func(n int) string { return `2[` + strings.Repeat("1", n) + `]` }, ErrEventName},
		{"namespace", Rev5, 128, func(n int) string { return `0/` + text(n-1) + `,` }, ErrNamespace},
		{"namespace without comma", Rev5, 128, func(n int) string { return `0/` + text(n-1) }, ErrNamespace},
		{"namespace with query", Rev4, 128, func(n int) string { return `0/` + text(n-1) + `?a,` }, ErrNamespace},
		{"query", Rev4, 8192, func(n int) string { return `0/a?` + text(n) + `,` }, ErrNamespace},
	}
	for _, tt := range tests {
		for _, n := range []int{tt.limit, tt.limit + 1, tt.limit * 100} {
			_, err := Parse([]byte(tt.in(n)), tt.rev, Limits{})
			if n == tt.limit && err != nil || n > tt.limit && err != tt.want {
				t.Errorf("%s of %d: %v", tt.name, n, err)
			}
		}
	}
}

func decimal(n int) string { return string(appendFloat(nil, float64(n))) }

func TestLimitsAreConfigurable(t *testing.T) {
	lim := Limits{Attachments: 1, Depth: 2, EventName: 1, Namespace: 2, Query: 1}
	for in, want := range map[string]error{
		`2/a,["n",[]]`:      nil,
		`52-["n"]`:          ErrAttachments,
		`2["n",[[]]]`:       ErrDepth,
		`2["nn"]`:           ErrEventName,
		`2/aa,["n"]`:        ErrNamespace,
		`2/a?bc,["n"]`:      ErrNamespace,
		`2/a?b,["n",[1,2]]`: nil,
	} {
		if _, err := Parse([]byte(in), Rev4, lim); err != want {
			t.Errorf("%s: %v, want %v", in, err, want)
		}
	}
}

func TestLimitsValidateReportsEverything(t *testing.T) {
	good := DefaultLimits()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if good != (Limits{}).filled() {
		t.Error("the zero Limits do not stand for the defaults")
	}
	bad := Limits{Attachments: 65, Depth: -1, EventName: 1025, Namespace: 1025, Query: 65537, MessageBytes: 1 << 30}
	err := bad.Validate()
	for _, key := range []string{"attachments: ", "depth: ", "event_name: ", "namespace: ", "query: ", "message_bytes: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q is missing in %v", key, err)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for name, in := range map[string]string{
		"event":        `27["edit",{"at":3,"text":"hello \u00e9","list":[1,2.5,null]}]`,
		"ack":          `37["ok"]`,
		"connect":      `0{"token":"abc"}`,
		"binary event": `52-["blob",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
		"refused":      `2["connect"]`,
	} {
		b := []byte(in)
		if n := testing.AllocsPerRun(100, func() { _, _ = Parse(b, Rev5, Limits{}) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
