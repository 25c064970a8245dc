package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/pkg/transport"
)

const placeholder = `{"_placeholder":true,"num":0}`

// ends sends packets on a connection of its own and tells whether that ended it.
func (w *world) ends(packets ...string) bool {
	w.t.Helper()
	p := w.dial(`{"token":"ann"}`)
	open := w.gateway.transport.Len()
	p.send(packets...) // is answered when they have been taken
	return w.gateway.transport.Len() < open
}

// Each limit is tried at the limit, one above and a hundred times above.
func TestPacketLimitsAreThoseOfTheConfiguration(t *testing.T) {
	w := newWorld(t, func(c *Config, tc *transport.Config) {
		c.MaxUserSockets = 0
		c.Packets.Attachments, c.Packets.Depth, c.Packets.EventName, c.Packets.Namespace = 3, 5, 8, 10
		c.Packets.MessageBytes = 1000
		tc.MaxPackets = 1000
	})
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, row := range []struct {
		name    string
		limit   int
		packets func(n int) []string
	}{
		{"attachments", 3, func(n int) []string { return []string{fmt.Sprintf(`45%d-["x"]`, n)} }},
		{"depth", 5, func(n int) []string {
			return []string{`42["x",` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "]"}
		}},
		{"event name", 8, func(n int) []string { return []string{`42["` + x(n) + `"]`} }},
		{"namespace", 10, func(n int) []string { return []string{`40/` + x(n-1) + `,{"token":"ann"}`} }},
		{"event with its attachments", 1000, func(n int) []string {
			head := `["x",` + placeholder + `]`
			return []string{"451-" + head, "b" + strings.Repeat("AAAA", (n-len(head))/3) + map[int]string{0: "", 1: "AA==", 2: "AAA="}[(n-len(head))%3]}
		}},
	} {
		for _, n := range []int{row.limit, row.limit + 1, 100 * row.limit} {
			if got, want := w.ends(row.packets(n)...), n > row.limit; got != want {
				t.Errorf("%s of %d: the connection ends: %v, want %v", row.name, n, got, want)
			}
		}
	}
}

func TestForgedEventsEndTheConnection(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxUserSockets = 0 })
	for name, packets := range map[string][]string{
		"payload not an array":        {`42{"x":1}`},
		"payload a string":            {`42"x"`},
		"no name":                     {`42[]`},
		"name an object":              {`42[{}]`},
		"trailing bytes":              {`42["x"]x`},
		"truncated":                   {`42["x"`},
		"a million attachments":       {`451000000-["x"]`},
		"attachments beyond 64 bits":  {`4518446744073709551617-["x"]`},
		"no attachments":              {`450-["x"]`},
		"placeholder out of range":    {`451-["x",{"_placeholder":true,"num":1}]`},
		"placeholder below zero":      {`451-["x",{"_placeholder":true,"num":-1}]`},
		"placeholder not a number":    {`451-["x",{"_placeholder":true,"num":"0"}]`},
		"placeholder as the name":     {`451-[` + placeholder + `]`},
		"reserved: connect":           {`42["connect"]`},
		"reserved: disconnect":        {`42["disconnect"]`},
		"reserved, with escapes":      {`42["\u0063onnect"]`},
		"enormous ack id":             {`4299999999999999999999["x"]`},
		"enormous id of an ack":       {`4399999999999999999999[]`},
		"ack not an array":            {`431{}`},
		"attachment nobody announced": {`42["x"]`, "bAAAA"},
		"one attachment too many":     {`451-["x",` + placeholder + `]`, "bAAAA", "bAAAA"},
		"text between attachments":    {`452-["x"]`, "bAAAA", `42["x"]`},
		"brackets":                    {`42` + strings.Repeat("[", 500_000)},
		"braces":                      {`42["x",` + strings.Repeat(`{"a":`, 100_000)},
	} {
		if !w.ends(packets...) {
			t.Errorf("%s: the connection stays", name)
		}
	}
	for name, packet := range map[string]string{
		"placeholder in a text event": `42["x",` + placeholder + `]`,
		"ordinary names":              `42["error"]` + "\x1e" + `42["__proto__"]` + "\x1e" + `42[""]` + "\x1e" + `42[7]`,
		"wide":                        `42["x"` + strings.Repeat(",0", 100_000) + `]`,
		"ack for nothing":             `431[]`,
	} {
		if w.ends(packet) {
			t.Errorf("%s: the connection ends", name)
		}
	}
}

func TestAttachmentsThatNeverComeEndTheConnection(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) {
		c.AttachmentTimeout = 100 * time.Millisecond
		c.MaxUserSockets = 0
	})
	good, none, some := w.dial(`{"token":"ann"}`), w.dial(`{"token":"ann"}`), w.dial(`{"token":"ann"}`)
	start := time.Now()
	good.send(`451-["x",`+placeholder+`]`, "bAAAA")
	none.send(`451-["x",` + placeholder + `]`)
	some.send(`4510-["x",`+placeholder+`]`, "bAAAA") // nine are missing
	eventually(t, "two to be closed", func() bool { return w.gateway.Sockets() == 1 })
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("closed after %v", took)
	}
	good.send(`42["still here"]`)
	// Slowly is no way around it: the time is that of the whole event.
	slow := w.dial(`{"token":"ann"}`)
	slow.send(`4510-["x",` + placeholder + `]`)
	for range 5 {
		time.Sleep(30 * time.Millisecond)
		if w.gateway.Sockets() == 1 {
			return
		}
		slow.post("bAAAA") // the end may come first
	}
	eventually(t, "the slow one to be closed", func() bool { return w.gateway.Sockets() == 1 })
}

func TestPacketLimitsAreChecked(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Packets.Attachments, cfg.Packets.Depth, cfg.AttachmentTimeout = 65, -1, 0
	err := cfg.Validate()
	for _, key := range []string{"packets.attachments: ", "packets.depth: ", "attachment_timeout: "} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key) {
			t.Errorf("nothing about %s in %v", key, err)
		}
	}
	if n := cfg.packetLimits(5_000_000).MessageBytes; n != 5_000_000 {
		t.Errorf("message_bytes is %d", n)
	}
}
