package engineio

import (
	"strings"
	"testing"
	"time"
)

func TestParseQuery(t *testing.T) {
	for in, want := range map[string]Query{
		"EIO=4&transport=polling":                  {Carrier: Polling, Version: V4},
		"EIO=3&transport=websocket&sid=abc&t=Oxyz": {Carrier: WebSocket, Version: V3, SID: "abc"},
		"transport=polling&b64=1&EIO=3&j=7":        {Carrier: Polling, Version: V3, B64: true, JSONP: true, J: "7"},
		"EIO=%34&transport=poll%69ng":              {Carrier: Polling, Version: V4},
		"%45IO=4&transport=polling":                {Carrier: Polling, Version: V4},
		"EIO=4&transport=polling&sid=a%2Bb":        {Carrier: Polling, Version: V4, SID: "a+b"},
		"":                                         {},
		"&&&=&==":                                  {},
		"EIO=5&transport=__proto__":                {},
		"EIO=04&transport=constructor":             {},
		"EIO=4&EIO=4&transport=polling":            {Carrier: Polling, Version: V4},
		"EIO=4&EIO=3&transport=polling":            {Carrier: Polling},
		"transport=polling&transport=websocket":    {},
		"transport=polling&sid=a&sid=b":            {Carrier: Polling, SID: repeated},
		"transport=polling&sid=":                   {Carrier: Polling},
		"transport=polling&sid=%zz":                {Carrier: Polling, SID: "%zz"},
		"transport=polling&j":                      {Carrier: Polling, JSONP: true},
	} {
		if got := ParseQuery(in); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

func TestParseQueryTakesFloodsInStride(t *testing.T) {
	q := strings.Repeat("a=b&", 100_000) + "EIO=4&transport=polling&sid=x"
	start := time.Now()
	if got := ParseQuery(q); got.SID != "x" {
		t.Errorf("%+v", got)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if n := testing.AllocsPerRun(10, func() { ParseQuery("EIO=4&transport=polling&sid=x&t=abc") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHandshakeChecks(t *testing.T) {
	all := Rules{Polling: true, WebSocket: true, Upgrades: true, V3: true}
	only4 := Rules{Polling: true, WebSocket: true}
	onlyWS := Rules{WebSocket: true, V3: true}
	for _, c := range []struct {
		name    string
		rules   Rules
		method  string
		query   string
		upgrade bool
		want    Code
	}{
		{"polling 4", all, "GET", "EIO=4&transport=polling", false, OK},
		{"polling 3", all, "GET", "EIO=3&transport=polling", false, OK},
		{"websocket", all, "GET", "EIO=4&transport=websocket", true, OK},
		{"no transport", all, "GET", "EIO=4", false, TransportUnknown},
		{"transport before method", all, "POST", "EIO=4&transport=x", false, TransportUnknown},
		{"__proto__", all, "GET", "EIO=4&transport=__proto__", false, TransportUnknown},
		{"switched off", onlyWS, "GET", "EIO=4&transport=polling", false, TransportUnknown},
		{"POST", all, "POST", "EIO=4&transport=polling", false, BadHandshakeMethod},
		{"OPTIONS", all, "OPTIONS", "EIO=4&transport=polling", false, BadHandshakeMethod},
		{"HEAD", all, "HEAD", "EIO=4&transport=polling", false, BadHandshakeMethod},
		{"method before version", all, "PUT", "EIO=9&transport=polling", false, BadHandshakeMethod},
		{"websocket without upgrade", all, "GET", "EIO=4&transport=websocket", false, BadRequest},
		{"polling with upgrade", all, "GET", "EIO=4&transport=polling", true, BadRequest},
		{"no version", all, "GET", "transport=polling", false, UnsupportedVersion},
		{"version 5", all, "GET", "EIO=5&transport=polling", false, UnsupportedVersion},
		{"version 3 off", only4, "GET", "EIO=3&transport=polling", false, UnsupportedVersion},
	} {
		q := ParseQuery(c.query)
		got := c.rules.Transport(&q)
		if got == OK {
			got = c.rules.Handshake(&q, c.method, c.upgrade)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestErrorBodies(t *testing.T) {
	for c, want := range map[Code]string{
		TransportUnknown:   `{"code":0,"message":"Transport unknown"}`,
		SessionUnknown:     `{"code":1,"message":"Session ID unknown"}`,
		BadHandshakeMethod: `{"code":2,"message":"Bad handshake method"}`,
		BadRequest:         `{"code":3,"message":"Bad request"}`,
		Forbidden:          `{"code":4,"message":"Forbidden"}`,
		UnsupportedVersion: `{"code":5,"message":"Unsupported protocol version"}`,
	} {
		if got := string(c.Body()); got != want {
			t.Errorf("%d: %s", c, got)
		}
	}
	if OK.Body() != nil || Code(9).Body() != nil {
		t.Error("a body without an error")
	}
	if got := string(AppendError(nil, Forbidden, `a "b"`)); got != `{"code":4,"message":"a \"b\""}` {
		t.Error(got)
	}
}

func TestOpenPacket(t *testing.T) {
	h := Handshake{SID: "abc", Upgrade: true, PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1000000}
	if got := string(h.Append(nil)); got != `{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}` {
		t.Error(got)
	}
	h.Upgrade = false
	if got := string(AppendElement(nil, Open, h.Append(nil), FormText3, true)); got != `90:0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}` {
		t.Error(got)
	}
}
