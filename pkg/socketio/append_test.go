package socketio

import "testing"

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"connect", AppendConnect(nil, "/", "0a1b", Rev5), `0{"sid":"0a1b"}`},
		{"connect rev 4", AppendConnect(nil, "/", "0a1b", Rev4), `0`},
		{"connect custom", AppendConnect(nil, "/n", "0a1b", Rev5), `0/n,{"sid":"0a1b"}`},
		{"connect custom rev 4", AppendConnect(nil, "/n", "0a1b", Rev4), `0/n,`},
		{"connect resumable", AppendConnectResumable(nil, "/n", "s", "p"), `0/n,{"sid":"s","pid":"p"}`},
		{"connect error", AppendConnectError(nil, "/n", "no", nil, Rev5), `4/n,{"message":"no"}`},
		{"connect error data", AppendConnectError(nil, "", "no", []byte(`{"code":1}`), Rev5), `4{"message":"no","data":{"code":1}}`},
		{"connect error rev 4", AppendConnectError(nil, "/", "no", nil, Rev4), `4"no"`},
		{"connect error data rev 4", AppendConnectError(nil, "/n", "no", []byte(`{"code":1}`), Rev4), `4/n,{"code":1}`},
		{"invalid namespace", AppendInvalidNamespace(nil, "/n"), `4/n,{"message":"Invalid namespace"}`},
		{"disconnect", AppendDisconnect(nil, "/"), `1`},
		{"disconnect custom", AppendDisconnect(nil, "/n"), `1/n,`},
		{"event", AppendEvent(nil, "/", "a", nil, 0, false, 0, ""), `2["a"]`},
		{"event with empty args", AppendEvent(nil, "", "a", []byte(` [ ] `[1:4]), 0, false, 0, ""), `2["a"]`},
		{"event args", AppendEvent(nil, "/n", "a\"", []byte(`[1,"b"]`), 0, true, 0, ""), `2/n,0["a\"",1,"b"]`},
		{"event offset", AppendEvent(nil, "/", "a", []byte(`[1]`), 0, false, 0, `o"1`), `2["a",1,"o\"1"]`},
		{"event only offset", AppendEvent(nil, "/", "a", []byte(`[]`), 0, false, 0, `o`), `2["a","o"]`},
		{"binary event", AppendEvent(nil, "/n", "a", []byte(`[{"_placeholder":true,"num":0}]`), 12, true, MaxAckID, ""), `512-/n,9007199254740991["a",{"_placeholder":true,"num":0}]`},
		{"ack", AppendAck(nil, "/", 7, nil, 0), `37[]`},
		{"ack args", AppendAck(nil, "/n", 0, []byte(`["ok"]`), 0), `3/n,0["ok"]`},
		{"binary ack", AppendAck(nil, "/n", 1, []byte(`[{"_placeholder":true,"num":0}]`), 1), `61-/n,1[{"_placeholder":true,"num":0}]`},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	if got := AppendEvent([]byte("4"), "/", "a", nil, 0, false, 0, ""); string(got) != `42["a"]` {
		t.Errorf("%s", got)
	}
}

func TestAppendDoesNotAllocateInASufficientBuffer(t *testing.T) {
	buf := make([]byte, 0, 256)
	args := []byte(`[{"at":3},"é"]`)
	if n := testing.AllocsPerRun(100, func() { AppendEvent(buf, "/n", "edit", args, 0, true, 7, "1-2") }); n != 0 {
		t.Errorf("event: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { AppendAck(buf, "/n", 7, args, 0) }); n != 0 {
		t.Errorf("ack: %v allocations", n)
	}
}
