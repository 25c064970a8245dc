package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// TestProtocolConversations speaks to ws-dev as public protocol suites do, byte
// by byte: Engine.IO 3 and 4 with the raw echo, Socket.IO 4 and 5 with the
// component. It needs no services but those that ws-dev brings.
func TestProtocolConversations(t *testing.T) {
	port := freePort(t)
	governor := freePort(t)
	p := start(t, "ws-dev", program(t, "ws-dev"), "", map[string]string{
		"SLUICE_GATEWAY_SERVER_MESH_PORT":     strconv.Itoa(freePort(t)),
		"SLUICE_API_SERVER_GRPC_PORT":         strconv.Itoa(freePort(t)),
		"SLUICE_GATEWAY_SERVER_GOVERNOR_PORT": strconv.Itoa(governor),
		"SLUICE_GATEWAY_TRANSPORT_DEFLATE":    "true", // for those who ask for it
	}, "-component", "echo", "-listen", fmt.Sprintf("localhost:%d", port), "-ping-interval", "600ms", "-ping-timeout", "1s",
		"-max-payload", "1000000", "-connect-timeout", "10s", "-upgrade-timeout", "10s", "-no-recovery", "-no-dynamic-heartbeat")
	p.ready(fmt.Sprintf("127.0.0.1:%d", governor), time.Minute)
	bothLoopbacks(t, port)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "clients/raw.mjs", fmt.Sprintf("http://localhost:%d", port), "600", "1000")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const least = 101
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); n++ {
		var r struct{ Name, Error string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Error != "" {
			t.Errorf("%s: %s", r.Name, r.Error)
		}
	}
	if n < least {
		t.Errorf("%d conversations were held, want %d", n, least)
	}
}

// bothLoopbacks checks that localhost is IPv4 and, where there is any, IPv6.
func bothLoopbacks(t *testing.T, port int) {
	t.Helper()
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = l.Close() // it showed that there is IPv6
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), 5*time.Second)
		if err != nil {
			t.Error(err)
			continue
		}
		_ = c.Close() // nothing is said
	}
}
