package e2e

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"sluice/pkg/component"
)

// TestAKilledGatewayIsSwept kills one of two gateways. Its clients come back
// elsewhere, the survivor publishes the Disconnect events that the dead one
// owed, no look-up returns its sockets, and pushes go on.
func TestAKilledGatewayIsSwept(t *testing.T) {
	quick := map[string]string{
		"SLUICE_SESSION_LEASE_TTL": "3s", "SLUICE_SESSION_RENEW_EVERY": "1s", "SLUICE_SESSION_SWEEP_GRACE": "3s",
		"SLUICE_REGISTRY_HEARTBEAT_EVERY": "1s", "SLUICE_REGISTRY_DEAD_AFTER": "5s", "SLUICE_REGISTRY_CALL_TIMEOUT": "3s",
	}
	for k, v := range quick {
		t.Setenv(k, v)
	}
	c := newCluster(t, 2, 1)
	tests := c.dial(c.apis[0])
	up := listen(t, tests)
	f := newFleet(t)
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = f.open(fmt.Sprintf("c%02d", i), c.balancer.url(), map[string]any{
			"transports": []string{"websocket"},
			"auth":       map[string]any{"token": token(t, "ann", "doc"), "documents": []string{"doc"}},
		})
	}
	connected := func() bool { return !slices.ContainsFunc(clients, func(c *client) bool { return !c.connected }) }
	f.wait(30*time.Second, "clients to connect", connected)
	before := map[string]*client{}
	f.look(func() {
		for _, c := range clients {
			before[c.sid] = c
		}
	})

	// The embedded broker keeps a member for ever that dies while it waits to join a
	// group for the first time, so the gateways are to have shared the partitions.
	eventually(t, 30*time.Second, "both gateways to have partitions", func() bool {
		return !slices.ContainsFunc(c.gateways, func(g *gatewayProcess) bool {
			return metric(t, body(t, "http://"+g.governor+"/metrics"), "sluice_bus_consumer_partitions") == 0
		})
	})
	c.balancer.use(t, c.gateways[1].address)
	c.gateways[0].signal(syscall.SIGKILL)
	<-c.gateways[0].ended
	f.wait(30*time.Second, "clients to notice", func() bool {
		return slices.ContainsFunc(clients, func(c *client) bool { return c.connects > 1 || !c.connected })
	})
	f.wait(30*time.Second, "clients to come back", connected)

	var lost []string
	f.look(func() {
		for sid, c := range before {
			if c.sid != sid {
				lost = append(lost, sid)
			}
		}
	})
	if len(lost) == 0 || len(lost) == len(clients) {
		t.Fatalf("%d of %d clients lost their gateway", len(lost), len(clients))
	}
	up.wait(t, 30*time.Second, "the Disconnect events that the dead gateway owed", func() bool {
		return !slices.ContainsFunc(lost, func(sid string) bool { return up.count(component.Disconnect, sid, "") == 0 })
	})
	eventually(t, 15*time.Second, "the members to be those who live", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n := 0
		for s, err := range tests.Sockets(ctx, component.List{Of: component.Of{Document: "doc"}}) {
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(lost, s.ID) {
				return false
			}
			n++
		}
		return n == len(clients)
	})
	push(t, tests, component.Push{Documents: []string{"doc"}, Event: "after", Args: []any{"kill"}})
	for _, c := range clients {
		f.expect(c, 30*time.Second, "after", "kill")
	}
}
