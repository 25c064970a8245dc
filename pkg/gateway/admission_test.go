package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/pkg/edge"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

func TestAnAddressIsBoundedInCountAndRate(t *testing.T) {
	now := time.Unix(1000, 0)
	x, y, z := addrOf("192.0.2.1:1"), addrOf("192.0.2.2:1"), addrOf("[2001:db8::1]:1")
	a := newAdmission(AddressConfig{MaxSessions: 3, NewPerSecond: 1, Burst: 5}, func() time.Time { return now })
	var places []*edge.Place
	for range 3 {
		if why := a.admit(x); why != "" {
			t.Fatalf("refused: %s", why)
		}
		places = append(places, a.sessions.Enter(x))
	}
	if why := a.admit(x); why != reason.AddressSessions {
		t.Errorf("the fourth session: %q", why)
	}
	if why := a.admit(y); why != "" {
		t.Errorf("another address: %q", why)
	}
	for _, p := range places {
		p.Leave()
	}
	admitted := 0
	for range 100 {
		if a.admit(x) == "" {
			admitted++
		}
	}
	if admitted != 2 {
		t.Errorf("%d more at once, of a burst of 5 with 3 used", admitted)
	}
	if why := a.admit(x); why != reason.AddressRate {
		t.Errorf("beyond the rate: %q", why)
	}
	now = now.Add(time.Hour)
	if a.admit(z); a.sessions.Len() != 1 {
		t.Errorf("%d addresses are remembered", a.sessions.Len())
	}
}

func TestAFloodOfOneAddressIsRefusedBeforeASession(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Address.MaxSessions = 2 })
	w.dial(`{"token":"ann"}`)
	w.dial(`{"token":"bob"}`)
	if got := (&poller{w: w, url: w.server.URL + "/socket.io/?EIO=4&transport=polling"}).poll(); got[0] != "HTTP 429" {
		t.Errorf("the third session of an address gets %v", got)
	}
}

func TestAUserHasABoundedNumberOfSockets(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxUserSockets = 2 })
	w.dial(`{"token":"ann"}`)
	second := w.dial(`{"token":"ann"}`)
	third := w.open()
	third.send(`40{"token":"ann"}`)
	told := third.next()
	if !strings.HasPrefix(told, `44{"message":"Too many connections","data":{"code":"user_sockets","retry":"later","retryAfterMs":`) {
		t.Errorf("told %q", told)
	}
	second.send("1")
	eventually(t, "the second to leave", func() bool { return w.gateway.Sockets() == 1 })
	third.send(`40{"token":"ann"}`)
	if got := third.next(); !strings.HasPrefix(got, "40{") {
		t.Errorf("with room again: %q", got)
	}
}

func TestAcksThatNobodyAskedForCloseInTheEnd(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxStrayAcks = 10 })
	p := w.dial(`{"token":"ann"}`)
	for i := range 10 {
		p.send(fmt.Sprintf("43%d[]", 1000+i))
	}
	if w.gateway.Sockets() != 1 {
		t.Fatal("closed within the limit")
	}
	p.send("439[]")
	p.expect(`42["sluice:closing",{"code":"stray_acks","retry":"never"}]`)
	eventually(t, "the client to be closed", func() bool { return w.gateway.Sockets() == 0 })
}
