package engineio_test

import (
	"fmt"
	"io"

	"sluice/pkg/engineio"
)

func ExamplePayload() {
	body := []byte("4hello\x1ebAQID\x1e3")
	packets := engineio.NewPayload(body, engineio.FormV4)
	for {
		p, err := packets.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Type, p.Binary, string(p.Data) == "hello", engineio.React(engineio.V4, p.Type) == engineio.Deliver)
	}
	// Output:
	// 4 false true true
	// 4 true false true
	// 3 false false false
}

func ExampleParseQuery() {
	q := engineio.ParseQuery("EIO=4&transport=polling&t=Oxyz")
	rules := engineio.Rules{Polling: true, WebSocket: true}
	fmt.Println(rules.Transport(&q), rules.Handshake(&q, "GET", false), rules.Handshake(&q, "POST", false))
	fmt.Printf("%s\n", engineio.BadHandshakeMethod.Body())
	// Output:
	// OK OK Bad handshake method
	// {"code":2,"message":"Bad handshake method"}
}

func ExampleHeartbeat() {
	policy := engineio.Policy{Interval: 25_000, Timeout: 20_000}
	var h engineio.Heartbeat
	next := h.Begin(&policy, engineio.V4, false, 0)
	for range 3 {
		now := next
		var beat engineio.Beat
		beat, next = h.Tick(&policy, engineio.V4, now, 0) // nothing is ever heard
		fmt.Println(now, beat == engineio.SendPing, beat == engineio.Dead)
		if beat == engineio.Dead {
			return
		}
	}
	// Output:
	// 25000 true false
	// 45000 false true
}

func ExampleProbe() {
	var p engineio.Probe
	fmt.Println(p.Packet(engineio.Packet{Type: engineio.Ping, Data: []byte("probe")}) == engineio.AnswerPong)
	fmt.Println(p.Packet(engineio.Packet{Type: engineio.Upgrade}) == engineio.Switch)
	// Output:
	// true
	// true
}
