package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/pkg/bus"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/transport"
)

// TestEveryLimitHolds tries each limit at it, one above and a hundred times above.
func TestEveryLimitHolds(t *testing.T) {
	const limit = 3
	for name, try := range map[string]func(t *testing.T, n int) (taken int){
		"documents that a client joins":  documentsOfAClient(`{"token":"ann"}`),
		"documents of nobody":            documentsOfAClient(`{}`),
		"documents that a grant names":   grantedDocuments,
		"documents that components join": controlledDocuments,
		"namespaces":                     namespacesOfAClient,
		"sockets of a user":              socketsOfAUser,
		"sessions of an address":         sessionsOfAnAddress,
		"new sessions at once":           sessionsAtOnce,
		"calls of a socket":              callsOfASocket,
		"acknowledgements unasked for":   strayAcksOfAClient,
	} {
		t.Run(name, func(t *testing.T) {
			for n, want := range map[int]int{limit: limit, limit + 1: limit, 100 * limit: limit} {
				if got := try(t, n); got != want {
					t.Errorf("of %d %d are taken, want %d", n, got, want)
				}
			}
		})
	}
}

// narrow has every limit at three.
func narrow(c *Config, _ *transport.Config) {
	c.MaxDocuments, c.MaxNamespaces, c.MaxUserSockets, c.MaxCalls, c.MaxStrayAcks = 3, 3, 3, 3, 3
	c.Address = AddressConfig{}
	for i := range 300 {
		c.Namespaces = append(c.Namespaces, fmt.Sprintf("/%d", i))
	}
}

func documentsOfAClient(auth string) func(*testing.T, int) int {
	return func(t *testing.T, n int) (taken int) {
		w := newWorld(t, narrow)
		p := w.dial(auth)
		for i := range n {
			p.send(fmt.Sprintf(`421["sluice:join","open-%d"]`, i))
			switch got := p.next(); got {
			case `431[{"ok":true}]`:
				taken++
			case `431[{"error":"too_many_documents","retry":"never"}]`:
			default:
				t.Fatalf("answered %q", got)
			}
		}
		p.send(`421["sluice:join","open-0"]`) // it is a member, so that nothing is added
		p.expect(`431[{"ok":true}]`)
		if c, _ := w.indexed(p.id); len(c.Docs) > taken+1 {
			t.Errorf("the index has %v", c.Docs)
		}
		return taken
	}
}

func grantedDocuments(t *testing.T, n int) int {
	w := newWorld(t, narrow)
	docs := make([]string, n)
	for i := range docs {
		docs[i] = fmt.Sprintf(`"open-%d"`, i)
	}
	p := w.dial(fmt.Sprintf(`{"token":"ann","documents":[%s]}`, strings.Join(docs, ",")))
	c, _ := w.indexed(p.id)
	return len(c.Docs)
}

func controlledDocuments(t *testing.T, n int) (taken int) {
	w := newWorld(t, narrow)
	p := w.dial(`{"token":"ann"}`)
	for i := range n {
		r := w.gateway.Control(t.Context(), &meshv1.ControlRequest{
			Op: meshv1.ControlRequest_OP_JOIN, Sockets: []uint64{uint64(p.id)}, Documents: []string{fmt.Sprint(i)},
		}).Results[0]
		switch {
		case r.Outcome == meshv1.Outcome_OUTCOME_DONE:
			taken++
		case r.Reason != "too_many_documents":
			t.Fatalf("%v", r)
		}
	}
	return taken
}

func namespacesOfAClient(t *testing.T, n int) (taken int) {
	w := newWorld(t, narrow)
	p := w.open()
	for i := range n {
		p.send(fmt.Sprintf(`40/%d,{"token":"ann"}`, i))
		switch got := p.next(); {
		case strings.HasPrefix(got, "40"):
			taken++
		case !strings.Contains(got, `"code":"namespaces","retry":"never"`):
			t.Fatalf("answered %q", got)
		}
	}
	return taken
}

func socketsOfAUser(t *testing.T, n int) (taken int) {
	w := newWorld(t, narrow)
	for range n {
		p := w.open()
		p.send(`40{"token":"ann"}`)
		switch got := p.next(); {
		case strings.HasPrefix(got, "40"):
			taken++
		case !strings.Contains(got, `"code":"user_sockets","retry":"later"`):
			t.Fatalf("answered %q", got)
		}
	}
	return taken
}

func sessionsOfAnAddress(t *testing.T, n int) int {
	return handshakes(t, n, AddressConfig{MaxSessions: 3})
}

func sessionsAtOnce(t *testing.T, n int) int {
	return handshakes(t, n, AddressConfig{NewPerSecond: 0.001, Burst: 3})
}

func handshakes(t *testing.T, n int, limits AddressConfig) (taken int) {
	w := newWorld(t, func(c *Config, wire *transport.Config) {
		narrow(c, wire)
		c.Address = limits
	})
	for range n {
		r, err := http.Get(w.server.URL + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close() // the status is all
		switch {
		case r.StatusCode == http.StatusOK:
			taken++
		case r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "":
			t.Fatalf("answered %d, %v", r.StatusCode, r.Header)
		}
	}
	return taken
}

func callsOfASocket(t *testing.T, n int) int {
	w := newWorld(t, narrow)
	p := w.dial(`{"token":"ann"}`)
	question := bus.Push{Namespace: "/", Event: "q", Args: []byte(`[]`)}
	body, err := question.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make(chan meshv1.Outcome, n)
	for range n {
		go func() { outcomes <- w.gateway.Call(ctx, p.id, body).Outcome }()
	}
	for range n - 3 { // those that are not taken are answered at once
		if got := <-outcomes; got != meshv1.Outcome_OUTCOME_OVERLOADED {
			t.Fatalf("answered %v", got)
		}
	}
	cancel()
	taken := 0
	for range 3 {
		if <-outcomes == meshv1.Outcome_OUTCOME_TIMEOUT {
			taken++
		}
	}
	return taken
}

// strayAcksOfAClient sends acknowledgements in one POST, which has its own limit,
// and sees whether it is still there.
func strayAcksOfAClient(t *testing.T, n int) int {
	w := newWorld(t, narrow)
	p := w.dial(`{"token":"ann"}`)
	acks := make([]string, min(n, 60))
	for i := range acks {
		acks[i] = fmt.Sprintf("43%d[]", 1000+i)
	}
	p.send(append(acks, `421["sluice:leave","none"]`)...)
	switch got := p.next(); got {
	case `431[{"ok":true}]`:
		return n
	case `42["sluice:closing",{"code":"stray_acks","retry":"never"}]`:
		return 3
	default:
		t.Fatalf("answered %q", got)
		return 0
	}
}
