package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/pkg/component"
)

// TestANewGatewayIsKnownAtOnce starts a gateway beside another, which looks into the
// registry once in an hour: its sessions are served by the other one, and reached by
// components, from its first moment.
func TestANewGatewayIsKnownAtOnce(t *testing.T) {
	t.Setenv("SLUICE_REGISTRY_HEARTBEAT_EVERY", "1h")
	t.Setenv("SLUICE_REGISTRY_DEAD_AFTER", "4h")
	c := newCluster(t, 1, 1)
	tests := c.dial(c.apis[0])
	f := newFleet(t)
	fresh := c.startGateway("fresh")
	fresh.ready(fresh.governor, time.Minute)

	const polling = "/socket.io/?EIO=4&transport=polling"
	text := body(t, "http://"+fresh.address+polling)
	_, rest, _ := strings.Cut(text, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	r, err := http.Post("http://"+c.gateways[0].address+polling+"&sid="+sid, "text/plain", strings.NewReader("3"))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close() // "ok"
	if r.StatusCode != http.StatusOK {
		t.Errorf("the other gateway answers %d to the session %s", r.StatusCode, sid)
	}

	client := f.open("client", "http://"+fresh.address, map[string]any{
		"transports": []string{"websocket"},
		"auth":       map[string]any{"token": token(t, "ann", "doc"), "documents": []string{"doc"}},
	})
	f.wait(30*time.Second, "the client to connect", func() bool { return client.connected })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	results, err := tests.Call(ctx, component.Call{Socket: client.sid, Event: "question", Args: []any{"new"}, Timeout: 20 * time.Second})
	if err != nil || len(results) != 1 || results[0].Outcome != component.Acked {
		t.Errorf("a call: %+v, %v", results, err)
	}
}
