package gateway

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/transport"
)

// tokens makes the world believe "user" and "user/seconds/grant/...": an
// identity that ends so long after start.
func (w *world) tokens(start time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verify = func(authType, token string) (auth.Identity, error) {
		parts := strings.Split(token, "/")
		switch parts[0] {
		case "bad":
			return auth.Identity{}, auth.ErrRefused
		case "away":
			return auth.Identity{}, auth.ErrUnavailable
		}
		who := auth.Identity{User: id.User(parts[0]), AuthType: authType, TokenID: token, Issued: start.Unix(), Docs: []string{"open-*"}}
		if len(parts) > 1 {
			var seconds int
			if _, err := fmt.Sscan(parts[1], &seconds); err != nil {
				return who, err
			}
			who.ExpiresAt = start.Add(time.Duration(seconds) * time.Second)
			who.Docs = parts[2:]
		}
		return who, nil
	}
}

// epoch is a whole second, as tokens have it, with the gateways' clock after it.
func epoch() time.Time { return time.Now().Truncate(time.Second) }

// at moves the world's expiries to a time; the gateway's own ticks come before.
func (w *world) at(t time.Time) { w.gateway.expire(t) }

func TestAClientIsWarnedAndThenClosed(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600"}`)
	forever := w.dial(`{"token":"ben"}`)

	w.at(start.Add(59*time.Minute - time.Millisecond))
	s := w.gateway.shardOf(p.id)
	s.mu.Lock()
	s.turnsLocked(s.conns[p.id], &w.gateway.policy, 0, 1<<60) // listed twice, it is told once
	s.mu.Unlock()
	w.at(start.Add(59 * time.Minute))
	p.expect(fmt.Sprintf(`42["sluice:expiring",{"expiresAt":%d,"inMs":60000}]`, start.Add(time.Hour).UnixMilli()))

	w.at(start.Add(time.Hour - time.Millisecond))
	if _, ok := w.gateway.Lookup(p.id); !ok {
		t.Fatal("closed before the end")
	}
	w.at(start.Add(time.Hour))
	p.expect(`42["sluice:closing",{"code":"expired","retry":"new_token"}]`, "1")
	eventually(t, "the connection to be gone", func() bool { _, ok := w.gateway.Lookup(p.id); return !ok })
	eventually(t, "its Disconnect event", func() bool {
		got := w.events()
		return got[len(got)-1] == "Disconnect expired"
	})
	if _, ok := w.gateway.Lookup(forever.id); !ok {
		t.Error("an identity without an end has ended")
	}
	for _, s := range w.gateway.shards {
		s.mu.Lock()
		if s.expiry.ends != 0 || len(s.expiry.soon) != 0 {
			t.Errorf("%d identities are waited for, %d turns", s.expiry.ends, len(s.expiry.soon))
		}
		s.mu.Unlock()
	}
}

func TestAClientThatConnectsAgainOnItsConnectionIsWarnedAgain(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600"}`)
	w.at(start.Add(59 * time.Minute))
	p.next()
	p.send("41", `40{"token":"ann/7200"}`)
	if got := p.next(); !strings.HasPrefix(got, `40{"sid"`) {
		t.Fatal(got)
	}
	w.at(start.Add(time.Hour + time.Second)) // the former token's end is nobody's any more
	w.at(start.Add(119 * time.Minute))
	if got := p.next(); !strings.Contains(got, fmt.Sprintf(`"sluice:expiring",{"expiresAt":%d`, start.Add(2*time.Hour).UnixMilli())) {
		t.Errorf("told %q", got)
	}
}

func TestEndsThatAreNearAreNotMissed(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	w.at(start) // what comes within two minutes is listed by now
	soon := w.dial(`{"token":"ann/70"}`)
	over := w.dial(`{"token":"ben/30"}`) // its warning is due at once
	if got := over.next(); !strings.Contains(got, `"sluice:expiring"`) {
		t.Errorf("told %q", got)
	}
	w.at(start.Add(10 * time.Second))
	if got := soon.next(); !strings.Contains(got, `"sluice:expiring"`) {
		t.Errorf("told %q", got)
	}
	w.at(start.Add(70 * time.Second))
	for _, p := range []*poller{soon, over} {
		if got := p.next(); !strings.Contains(got, `"expired"`) {
			t.Errorf("told %q", got)
		}
	}
}

func TestEveryGenerationIsWarned(t *testing.T) {
	start := epoch()
	t.Run("the older one", func(t *testing.T) {
		w := newWorld(t, nil)
		w.tokens(start)
		p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=3&transport=polling&token=ann/3600&b64=1"}
		hello := strings.Join(p.poll(), "")
		_, rest, _ := strings.Cut(hello, `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		p.url += "&sid=" + sid
		if !strings.Contains(hello, "2:40") {
			p.expect("2:40")
		}
		w.at(start.Add(59 * time.Minute))
		if got := p.next(); !strings.Contains(got, `42["sluice:expiring",`) {
			t.Errorf("told %q", got)
		}
		p.post(`421["sluice:auth",{"token":"ann/7200"}]`)
		if got := p.next(); !strings.HasSuffix(got, fmt.Sprintf(`431[{"ok":true,"expiresAt":%d}]`, start.Add(2*time.Hour).UnixMilli())) {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("MessagePack", func(t *testing.T) {
		w := newWorld(t, nil)
		w.tokens(start)
		p := w.open()
		p.send("b" + base64.StdEncoding.EncodeToString([]byte("\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa5token\xa8ann/3600")))
		p.next()
		w.at(start.Add(59 * time.Minute))
		got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.next(), "b"))
		if err != nil || !strings.Contains(string(got), "\xafsluice:expiring\x82\xa9expiresAt") {
			t.Errorf("told %q, %v", got, err)
		}
		p.send("b" + base64.StdEncoding.EncodeToString([]byte("\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xabsluice:auth\x81\xa5token\xa8ann/7200\xa2id\x01")))
		got, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(p.next(), "b"))
		if err != nil || !strings.Contains(string(got), "\xa2ok\xc3\xa9expiresAt") {
			t.Errorf("answered %q, %v", got, err)
		}
	})
	t.Run("another namespace", func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
		w.tokens(start)
		p := w.open()
		p.send(`40/a,{"token":"ann/3600"}`)
		p.next()
		w.at(start.Add(59 * time.Minute))
		if got := p.next(); !strings.HasPrefix(got, `42/a,["sluice:expiring",`) {
			t.Errorf("told %q", got)
		}
	})
}

func TestTheEndsOfManyAreSpread(t *testing.T) {
	w := newWorld(t, nil)
	w.gateway.policy = auth.Policy{Jitter: 5 * time.Second}
	start := epoch()
	s := w.gateway.shards[0]
	late := map[int64]int{}
	for n := range 1000 {
		c := &Connection{id: id.Socket(uint64(n) << 10), who: bearer{ends: start.UnixMilli()}}
		after := c.closeAtLocked(&w.gateway.policy) - start.UnixMilli()
		if after < 0 || after >= 5000 {
			t.Fatalf("closed %d ms after the end", after)
		}
		late[after/1000]++
	}
	for second, n := range late {
		if n < 100 || n > 300 {
			t.Errorf("%d of 1000 are closed in second %d", n, second)
		}
	}
	if s.expiry.soon != nil {
		t.Error("something waits")
	}
}

func TestConnectionsWithoutAnEndCostNothing(t *testing.T) {
	w := newWorld(t, nil)
	s := w.gateway.shards[0]
	c := &Connection{id: 1}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		s.mu.Lock()
		s.expectEndLocked(c, &w.gateway.policy)
		s.turnsLocked(c, &w.gateway.policy, 0, 1<<60)
		s.forgetEndLocked(c)
		s.mu.Unlock()
		w.gateway.expire(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNobodyActsForATokenThatHasEnded(t *testing.T) {
	w := newWorld(t, func(_ *Config, wire *transport.Config) { wire.FlushTimeout = 5 * time.Second })
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600"}`)
	w.at(start.Add(2 * time.Hour))
	p.send(`42["late"]`, `421["sluice:auth",{"token":"ann/9000"}]`)
	p.expect(`42["sluice:closing",{"code":"expired","retry":"new_token"}]`, "1")
	eventually(t, "the connection to be gone", func() bool { return w.gateway.transport.Len() == 0 })
	if got := fmt.Sprint(w.events()); strings.Contains(got, "late") {
		t.Errorf("components hear %s", got)
	}
}

// The look through 100,000 connections whose ends are far, once a minute.
func BenchmarkLookForEnds(b *testing.B) {
	p := auth.Policy{Warning: time.Minute, Jitter: 5 * time.Second}
	s := newShard(1, nil)
	far := time.Now().Add(time.Hour)
	for n := range 100_000 {
		c := &Connection{id: id.Socket(uint64(n)<<22 | 1), who: bearer{ends: far.UnixMilli()}}
		s.conns[c.id] = c
	}
	s.expiry.ends = len(s.conns)
	b.ReportAllocs()
	for b.Loop() {
		s.expiry.listed = 0
		s.look(&p, time.Now().UnixMilli())
	}
}
