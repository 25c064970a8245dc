package engineio

import "testing"

func TestSessionRequests(t *testing.T) {
	q := func(s string) *Query { q := ParseQuery(s); return &q }
	polled := NewState(V4, Polling)
	onSocket := NewState(V4, WebSocket)
	for _, c := range []struct {
		name    string
		state   State
		query   *Query
		upgrade bool
		want    Code
	}{
		{"poll", polled, q("EIO=4&transport=polling"), false, OK},
		{"another version", polled, q("EIO=3&transport=polling"), false, BadRequest},
		{"no version", polled, q("transport=polling"), false, BadRequest},
		{"websocket without upgrade", polled, q("EIO=4&transport=websocket"), false, BadRequest},
		{"upgrade", polled, q("EIO=4&transport=websocket"), true, OK},
		{"upgrade of a polling URL", polled, q("EIO=4&transport=polling"), true, BadRequest},
		{"poll after upgrade", onSocket, q("EIO=4&transport=polling"), false, BadRequest},
		{"second upgrade", onSocket, q("EIO=4&transport=websocket"), true, OK}, // BeginProbe refuses it
	} {
		if got := c.state.Request(c.query, c.upgrade); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	s := NewState(V4, Polling)
	if !s.BeginPoll() || s.BeginPoll() {
		t.Error("second GET is taken")
	}
	if !s.BeginPost() || s.BeginPost() {
		t.Error("second POST is taken")
	}
	s.EndPost()
	if !s.BeginPost() || !s.Polled() {
		t.Error("POST after POST is not taken, or ended the GET")
	}
	s.EndPoll()
	if !s.BeginPoll() {
		t.Error("GET after GET is not taken")
	}
}

func TestTransitions(t *testing.T) {
	s := NewState(V4, Polling)
	if s.Switch() {
		t.Error("switched without a probe")
	}
	if !s.BeginProbe() || s.BeginProbe() || !s.Probing() {
		t.Error("second probe")
	}
	s.EndProbe()
	if s.Switch() || s.Carrier() != Polling {
		t.Error("switched after the probe ended")
	}
	if !s.BeginProbe() || !s.Switch() || s.Carrier() != WebSocket || s.Probing() {
		t.Error("not switched")
	}
	if s.BeginProbe() {
		t.Error("probe after the upgrade")
	}
	if !s.Close() || s.Close() || !s.Closed() {
		t.Error("closed twice")
	}
	s = NewState(V4, Polling)
	s.BeginProbe()
	s.Close()
	if s.Switch() {
		t.Error("switched when closed")
	}
	s.EndProbe()
	if s.BeginProbe() {
		t.Error("probe when closed")
	}
}

func TestProbe(t *testing.T) {
	ping := Packet{Type: Ping, Data: []byte("probe")}
	upgrade := Packet{Type: Upgrade}
	for _, c := range []struct {
		name    string
		packets []Packet
		want    []Step
	}{
		{"as it should be", []Packet{ping, upgrade}, []Step{AnswerPong, Switch}},
		{"upgrade first", []Packet{upgrade}, []Step{Reject}},
		{"message first", []Packet{{Type: Message, Data: []byte("a")}}, []Step{Reject}},
		{"binary first", []Packet{{Type: Message, Binary: true}}, []Step{Reject}},
		{"message between", []Packet{ping, {Type: Message}}, []Step{AnswerPong, Reject}},
		{"bare ping", []Packet{{Type: Ping}}, []Step{Reject}},
		{"probe twice", []Packet{ping, ping, upgrade}, []Step{AnswerPong, AnswerPong, Switch}},
		{"binary ping", []Packet{{Type: Ping, Binary: true, Data: []byte("probe")}}, []Step{Reject}},
		{"upgrade with data", []Packet{ping, {Type: Upgrade, Data: []byte("x")}}, []Step{AnswerPong, Reject}},
	} {
		var p Probe
		for i, pkt := range c.packets {
			if got := p.Packet(pkt); got != c.want[i] {
				t.Errorf("%s: step %d is %d, want %d", c.name, i, got, c.want[i])
			}
		}
	}
}
