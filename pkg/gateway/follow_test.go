package gateway

import (
	"hash/maphash"
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/pkg/id"
)

// request makes a request of the session with a token in the query or in the
// Authorization header, and returns status and body.
func (p *poller) request(method, query, bearer, body string, upgrade bool) (int, string) {
	p.w.t.Helper()
	url := p.url + query
	if upgrade {
		url = strings.Replace(url, "transport=polling", "transport=websocket", 1)
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		p.w.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if upgrade {
		for k, v := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header.Set(k, v)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestRequestsWithAnotherIdentityAreRefused(t *testing.T) {
	const forbidden = `{"code":4,"message":"Forbidden"}`
	w := newWorld(t, nil)
	w.tokens(epoch())
	for name, handshake := range map[string]struct{ query, connect string }{
		"token in the CONNECT": {"", `{"token":"ann"}`},
		"token in the query":   {"&token=ann", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.openWith(handshake.query)
			p.send("40" + handshake.connect)
			if got := p.next(); !strings.HasPrefix(got, `40{"sid"`) {
				t.Fatal(got)
			}
			for _, c := range []struct {
				name, method, query, bearer, body string
				upgrade                           bool
				status                            int
				want                              string
			}{
				{"POST of somebody else", "POST", "&token=ben", "", `42["forged"]`, false, 403, forbidden},
				{"POST of somebody else, by header", "POST", "", "ben", `42["forged"]`, false, 403, forbidden},
				{"poll of somebody else", "GET", "", "ben", "", false, 403, forbidden},
				{"upgrade of somebody else", "GET", "", "ben", "", true, 400, "Forbidden"},
				{"a token that is wrong", "POST", "", "bad", `42["forged"]`, false, 403, forbidden},
				{"a token nobody can check", "POST", "", "away", `42["forged"]`, false, 503, forbidden},
				{"another auth type", "POST", "&authType=other", "ann/1", `42["forged"]`, false, 403, forbidden},
				{"escaped", "POST", "&token=b%65n", "", `42["forged"]`, false, 403, forbidden},
				{"no token", "POST", "", "", `42["good"]`, false, 200, "ok"},
				{"the same token", "POST", "", "ann", `42["good"]`, false, 200, "ok"},
				{"the same token, escaped", "POST", "&token=a%6en", "", `42["good"]`, false, 200, "ok"},
				{"a newer token", "POST", "", "ann/7200", `42["good"]`, false, 200, "ok"},
				{"another scheme", "POST", "", "", `42["good"]`, false, 200, "ok"},
			} {
				if strings.Contains(p.url, "token=") && c.query != "" && !strings.Contains(c.query, "authType") {
					continue // the handshake's own is the first
				}
				if strings.Contains(p.url, "token=") && c.bearer != "" {
					continue
				}
				if status, body := p.request(c.method, c.query, c.bearer, c.body, c.upgrade); status != c.status || body != c.want {
					t.Errorf("%s: %d %q, want %d %q", c.name, status, body, c.status, c.want)
				}
			}
			p.url = strings.Replace(p.url, "&token=ann", "", 1)
			if status, _ := p.request("POST", "", "ben", `42["forged"]`, false); status != 403 {
				t.Errorf("without the handshake's query: %d", status)
			}
			if status, _ := p.request("POST", "", "ann", `42["good"]`, false); status != 200 {
				t.Errorf("its own token in another place: %d", status)
			}
			p.send(`421["sluice:join","open-1"]`) // the session is untouched
			p.expect(`431[{"ok":true}]`)
		})
	}
	if got := strings.Join(w.events(), ","); strings.Contains(got, "forged") || !strings.Contains(got, "good") {
		t.Errorf("components hear %s", got)
	}
	if n := counted(w.gateway.m.followersRefused.WithLabelValues("identity")); n == 0 {
		t.Error("nothing is counted")
	}
}

// openWith is open with more in the query.
func (w *world) openWith(query string) *poller {
	w.t.Helper()
	p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=4&transport=polling" + query}
	_, rest, _ := strings.Cut(p.next(), `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	p.url += "&sid=" + sid
	return p
}

func TestBeforeTheConnectAHandshakesTokenIsItsIdentity(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	p := w.openWith("&token=ann")
	p.url = strings.Replace(p.url, "&token=ann", "", 1)
	if status, _ := p.request("POST", "&token=ben", "", "40", false); status != 403 {
		t.Errorf("somebody else's CONNECT: %d", status)
	}
	if status, _ := p.request("POST", "&token=ann", "", "40", false); status != 200 {
		t.Errorf("its own CONNECT: %d", status)
	}
	if got := p.next(); !strings.HasPrefix(got, `40{"sid"`) {
		t.Error(got)
	}

	p = w.openWith("") // nobody's yet
	if status, _ := p.request("POST", "", "ben", `40{"token":"ben"}`, false); status != 200 {
		t.Errorf("the first token: %d", status)
	}
}

func TestLookingAtAFollowerAllocatesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	p := w.openWith("&token=ann")
	p.send("40")
	p.next()
	socket := w.ids()[0]
	s := w.gateway.shardOf(socket)
	s.mu.Lock()
	c := s.conns[socket]
	s.mu.Unlock()
	same, err := http.NewRequest("GET", "http://x/socket.io/?EIO=4&transport=polling&token=ann&sid=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	header := same.Clone(t.Context())
	header.URL.RawQuery = "EIO=4"
	header.Header.Set("Authorization", "Bearer ann")
	none := same.Clone(t.Context())
	none.URL.RawQuery = "EIO=4&transport=polling&sid=x"
	for _, r := range []*http.Request{same, header, none} {
		if n := testing.AllocsPerRun(100, func() {
			if w.gateway.follow(c.session, r) != nil {
				t.Error("refused")
			}
		}); n > 0 {
			t.Errorf("%v allocations for %s", n, r.URL.RawQuery)
		}
	}
}

func BenchmarkFollowWithTheHandshakesToken(b *testing.B) {
	g := &Gateway{marks: maphash.MakeSeed()}
	token := strings.Repeat("eyJhbGciOiJIUzI1NiJ9", 20) // 400 bytes
	c := &Connection{}
	c.mark.Store(g.markOf(token))
	r, err := http.NewRequest("GET", "http://x/socket.io/?EIO=4&transport=polling&sid=x&token="+token, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if c.mark.Load() != g.markOf(shownToken(r)) {
			b.Fatal("another token")
		}
	}
}

// ids lists the connected sockets.
func (w *world) ids() (all []id.Socket) {
	w.gateway.Each(func(s id.Socket) bool {
		all = append(all, s)
		return true
	})
	return all
}
