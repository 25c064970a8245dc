package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"sluice/pkg/component"
)

// logins is a component that says whose logins are.
type logins struct {
	mu    sync.Mutex // guards known
	known map[string]component.Identity
}

func (l *logins) put(token string, who component.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[token] = who
}

func (l *logins) verify(_ context.Context, authType, token string) (component.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who, ok := l.known[token]
	if !ok || authType != "app" {
		return component.Identity{}, component.ErrRefused
	}
	return who, nil
}

// serve answers the gateways until the test ends.
func (l *logins) serve(t *testing.T, token string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	component.RegisterVerifier(server, token, l.verify)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("verifier: %v", err)
		}
	})
	return ln.Addr().String()
}

const identityTOML = `
[auth]
default_type = "web"
expiry_warning = "3s"
expiry_jitter = "500ms"
renew_every = "0s"

[[auth.type]]
name = "app"
[auth.type.callback]
address = "%s"
token = "e2e-verifier-token"
`

// codes lists the codes that a client was told at its closing.
func (c *client) codes() []string {
	var all []string
	for _, e := range c.events {
		if e.Name != "sluice:closing" || len(e.Args) != 1 {
			continue
		}
		if news, ok := e.Args[0].(map[string]any); ok {
			all = append(all, fmt.Sprint(news["code"]))
		}
	}
	return all
}

// TestIdentitiesEnd shows the life of identities on two gateways: a component
// says who clients are; they are warned, show a new login or are closed; and what
// is revoked does not come back.
func TestIdentitiesEnd(t *testing.T) {
	l := &logins{known: map[string]component.Identity{}}
	toml := gatewayTOML + fmt.Sprintf(identityTOML, l.serve(t, "e2e-verifier-token"))
	c := newClusterOf(t, toml, apiTOML, 2, 1)
	f := newFleet(t)
	open := func(id string, gateway int, token string, transports ...string) *client {
		return f.open(id, "http://"+c.gateways[gateway].address, map[string]any{
			"auth": map[string]any{"token": token, "authType": "app"}, "transports": transports, "reconnection": false,
		})
	}

	// Whole seconds, as logins often have.
	begun := time.Now().Truncate(time.Second)
	first := begun.Add(10 * time.Second) // enough for all to connect
	l.put("short", component.Identity{User: "ann", ExpiresAt: first, IssuedAt: begun})
	l.put("long", component.Identity{User: "ann", ExpiresAt: begun.Add(time.Hour), IssuedAt: begun})
	l.put("else", component.Identity{User: "ben", ExpiresAt: begun.Add(time.Hour), IssuedAt: begun})

	bad := open("bad", 0, "guessed", "websocket")
	renewing := open("renewing", 0, "short", "websocket")
	ending := open("ending", 1, "short", "polling")
	ben := open("ben", 1, "else", "websocket")
	f.wait(30*time.Second, "three to connect and one to be refused", func() bool {
		return renewing.connected && ending.connected && ben.connected && len(bad.refused) == 1
	})
	f.wait(30*time.Second, "both to be warned", func() bool {
		return len(renewing.got("sluice:expiring")) == 1 && len(ending.got("sluice:expiring")) == 1
	})
	f.emit("renewing", "sluice:auth", 1, map[string]any{"token": "else"})
	f.emit("renewing", "sluice:auth", 2, map[string]any{"token": "long"})
	f.wait(30*time.Second, "the answers", func() bool { return len(renewing.acks) == 2 })
	f.look(func() {
		if got := fmt.Sprint(renewing.acks[1]); !strings.Contains(got, "code:identity") || !strings.Contains(got, "ok:false") {
			t.Errorf("somebody else's login is answered %s", got)
		}
		if got := fmt.Sprint(renewing.acks[2]); !strings.Contains(got, "ok:true") || !strings.Contains(got, "expiresAt:") {
			t.Errorf("a new login is answered %s", got)
		}
	})
	f.wait(30*time.Second, "the other one to be closed", func() bool { return !ending.connected })
	if late := time.Since(first); late < 0 || late > 20*time.Second {
		t.Errorf("closed %v after the end", late)
	}
	polling := open("polling", 1, "long", "polling")
	f.wait(30*time.Second, "the user to connect to the other gateway", func() bool { return polling.connected })
	f.look(func() {
		if got := fmt.Sprint(ending.codes()); got != "[expired]" {
			t.Errorf("the end is told as %s", got)
		}
		if !renewing.connected || len(renewing.codes()) != 0 {
			t.Error("a renewed connection has ended")
		}
	})
	followAcross(t, c)
	revokeEverywhere(t, c, f, renewing, polling)

	again := open("again", 1, "long", "websocket")
	f.wait(30*time.Second, "the revoked login to be refused", func() bool { return len(again.refused) == 1 })
	if text := body(t, "http://"+c.gateways[1].governor+"/metrics"); !strings.Contains(text, `sluice_gateway_connects_total{outcome="revoked",service="ws-gateway"} 1`) {
		t.Error("the refusal is not counted as revoked")
	}
	revoked := time.Now()
	eventually(t, 5*time.Second, "the next second", func() bool { return time.Now().Unix() > revoked.Unix() })
	l.put("new", component.Identity{User: "ann", ExpiresAt: begun.Add(time.Hour), IssuedAt: time.Now()})
	fresh := open("fresh", 0, "new", "websocket")
	f.wait(30*time.Second, "a new login to connect", func() bool { return fresh.connected && ben.connected })
}

// followAcross begins ben's session on one gateway and speaks for it through the
// other one, with nobody's token, with its own, and with ann's.
func followAcross(t *testing.T, c *cluster) {
	t.Helper()
	ask := func(method, url, token, text string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, url, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	const path = "/socket.io/?EIO=4&transport=polling&authType=app"
	_, hello := ask("GET", "http://"+c.gateways[0].address+path, "else", "")
	_, rest, _ := strings.Cut(hello, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	there := "http://" + c.gateways[1].address + path + "&sid=" + sid
	for _, step := range []struct {
		token, packet string
		status        int
		want          string
	}{
		{"else", "40", 200, "ok"},
		{"", `42["a"]`, 200, "ok"},
		{"long", `42["b"]`, 403, `{"code":4,"message":"Forbidden"}`},
		{"guessed", `42["c"]`, 403, `{"code":4,"message":"Forbidden"}`},
		{"else", `42["d"]`, 200, "ok"},
	} {
		if status, text := ask("POST", there, step.token, step.packet); status != step.status || text != step.want {
			t.Errorf("%s as %q: %d %s", step.packet, step.token, status, text)
		}
	}
}

// revokeEverywhere withdraws ann's logins, and waits until her clients on both
// gateways are gone and were told why.
func revokeEverywhere(t *testing.T, c *cluster, f *fleet, clients ...*client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	done, err := c.dial(c.apis[0]).Revoke(ctx, component.Revoke{User: "ann", Reason: "logged out everywhere"})
	if err != nil || done.Sockets != uint64(len(clients)) || len(done.Unreached) != 0 {
		t.Errorf("revoked %+v, %v", done, err)
	}
	for _, one := range clients {
		f.wait(30*time.Second, one.id+" to be told and closed", func() bool {
			return !one.connected && fmt.Sprint(one.codes()) == "[revoked]" && fmt.Sprint(one.reasons) == "[io server disconnect]"
		})
	}
}
