package gateway

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// endAll ends every connection of w for a reason.
func (w *world) endAll(why reason.Reason) {
	for _, r := range w.gateway.everyone() {
		w.gateway.end(r, why)
	}
}

func TestEveryGenerationIsToldWhyItIsClosed(t *testing.T) {
	const told = `["sluice:closing",{"code":"expired","retry":"new_token"}]`
	t.Run("JSON", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.dial(`{"token":"ann"}`)
		w.endAll(reason.Expired)
		p.expect("42" + told)
	})
	t.Run("the older generation", func(t *testing.T) {
		w := newWorld(t, nil)
		p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=3&transport=polling&token=ann&b64=1"}
		hello := strings.Join(p.poll(), "")
		_, rest, _ := strings.Cut(hello, `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		p.url += "&sid=" + sid
		if !strings.Contains(hello, "2:40") {
			p.expect("2:40")
		}
		w.endAll(reason.Expired)
		if got := p.next(); !strings.HasPrefix(got, fmt.Sprintf("%d:42%s", len(told)+2, told)) {
			t.Errorf("told %q", got)
		}
	})
	t.Run("MessagePack", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.open()
		p.send("b" + base64.StdEncoding.EncodeToString([]byte("\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa5token\xa3ann")))
		p.next()
		w.endAll(reason.Expired)
		got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.next(), "b"))
		if err != nil || !strings.Contains(string(got), "\xaesluice:closing\x82\xa4code\xa7expired\xa5retry\xa9new_token") {
			t.Errorf("told %q, %v", got, err)
		}
	})
}

func TestTheCloseIsToldInANamespaceThatIsConnected(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
	p := w.open()
	p.send(`40/a,{"token":"ann"}`)
	p.next()
	w.endAll(reason.Revoked)
	p.expect(`42/a,["sluice:closing",{"code":"revoked","retry":"new_token"}]`)
}

func TestWhatNeedsNoWordsIsClosedWithoutThem(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	w.endAll(reason.ConnectTimeout)
	p.expect("1")
}

func TestWhoIsSentOutOfANamespaceKeepsTheOthers(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
	p := w.dial(`{"token":"ann"}`)
	p.send(`40/a,{"token":"ann"}`)
	p.next()
	w.gateway.Control(t.Context(), &meshv1.ControlRequest{Op: meshv1.ControlRequest_OP_KICK, Sockets: []uint64{uint64(p.id)}, Namespace: "/a"})
	p.expect("41/a,")
	p.send(`42["still here"]`)
	eventually(t, "an event in the other namespace", func() bool {
		events := w.events()
		return events[len(events)-1] == "Message still here"
	})
}

func TestWhatComesAfterTheRulesWereBrokenIsNotRead(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxStrayAcks = 1 })
	p := w.dial(`{"token":"ann"}`)
	p.send("437[]", "438[]", `42["too late"]`)
	p.expect(`42["sluice:closing",{"code":"stray_acks","retry":"never"}]`)
	eventually(t, "the client to be closed", func() bool { return w.gateway.transport.Len() == 0 })
	if got := fmt.Sprint(w.events()); strings.Contains(got, "too late") {
		t.Errorf("components hear %s", got)
	}
}

func TestTheCloseIsNotToldWhereThatIsSwitchedOff(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.TellClosing = false })
	p := w.dial(`{"token":"ann"}`)
	w.endAll(reason.Expired)
	p.expect("1") // the close packet of Engine.IO
}
