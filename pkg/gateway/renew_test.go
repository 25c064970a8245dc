package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/session"
)

func TestANewTokenProlongsTheConnection(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600","clientVersion":"1.2"}`)
	p.send(`425["sluice:auth",{"token":"ann/7200"}]`)
	p.expect(fmt.Sprintf(`435[{"ok":true,"expiresAt":%d}]`, start.Add(2*time.Hour).UnixMilli()))
	w.at(start.Add(90 * time.Minute))
	w.at(start.Add(119 * time.Minute))
	if got := p.next(); !strings.Contains(got, "sluice:expiring") {
		t.Errorf("told %q", got)
	}
	p.send(`426["sluice:auth",{"token":"ann"}]`) // and one without an end
	p.expect(`436[{"ok":true}]`)
	w.at(start.Add(24 * time.Hour))
	c, ok := w.gateway.Lookup(p.id)
	if !ok || c.ClientVersion != "1.2" {
		t.Errorf("%+v %v", c, ok)
	}
	if n := counted(w.gateway.m.renewals.WithLabelValues("ok")); n != 2 {
		t.Errorf("%v counted", n)
	}
}

func TestNewTokensAreTakenNowAndThen(t *testing.T) {
	w := newWorld(t, nil)
	w.gateway.policy.RenewEvery = time.Hour
	w.tokens(epoch())
	p := w.dial(`{"token":"ann/3600"}`)
	p.send(`421["sluice:auth",{"token":"ann/7200"}]`)
	if got := p.next(); !strings.HasPrefix(got, `431[{"ok":true`) {
		t.Fatal(got)
	}
	for n := range 100 {
		p.send(fmt.Sprintf(`42%d["sluice:auth",{"token":"ann/9000"}]`, n+2))
		if got := p.next(); !strings.HasPrefix(got, fmt.Sprintf(`43%d[{"ok":false,"code":"busy","retry":"later"`, n+2)) {
			t.Fatal(got)
		}
	}
	// At the limit, and just before it.
	now := time.Now()
	clock := &Gateway{policy: w.gateway.policy, now: func() time.Time { return now }}
	began := id.Millis(now.Add(-200 * 24 * time.Hour))
	c := &Connection{shard: &shard{gw: clock}, id: id.Socket(began << 22)}
	for _, step := range []struct {
		after time.Duration
		soon  bool
	}{{0, false}, {time.Hour - renewTick, true}, {renewTick, false}, {time.Hour, false}, {0, true}} {
		if now = now.Add(step.after); c.tooSoon() != step.soon {
			t.Errorf("%v later: %v", step.after, !step.soon)
		}
	}
}

func TestATokenOfSomebodyElseChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	start := epoch()
	w.tokens(start)
	p := w.dial(`{"token":"ann/3600/d-1","documents":["d-1"]}`)
	for i, c := range []struct{ args, want string }{
		{`{"token":"ben/7200"}`, `"code":"identity","retry":"never"`},
		{`{"token":"bad"}`, `"code":"unauthorized","retry":"new_token"`},
		{`{"token":"away"}`, `"code":"auth_unavailable","retry":"later","retryAfterMs":`},
		{`{"token":""}`, `"code":"bad_request","retry":"never"`},
		{`{}`, `"code":"bad_request"`},
		{`"ann/7200"`, `"code":"bad_request"`},
		{`{"token":7}`, `"code":"bad_request"`},
		{`{"token":"ann/7200"},1`, `"code":"bad_request"`},
	} {
		p.send(fmt.Sprintf(`42%d["sluice:auth",%s]`, i, c.args))
		if got := p.next(); !strings.HasPrefix(got, fmt.Sprintf(`43%d[{"ok":false,%s`, i, c.want)) {
			t.Errorf("%s is answered %s", c.args, got)
		}
	}
	if c, _ := w.gateway.Lookup(p.id); !slices.Equal(c.Docs, []id.Doc{"d-1"}) {
		t.Errorf("its documents are %v", c.Docs)
	}
	w.at(start.Add(time.Hour))
	if got := p.next(); !strings.Contains(got, `"expired"`) {
		t.Errorf("told %q", got)
	}
}

func TestDocumentsThatANewTokenDoesNotGrantAreLeft(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	p := w.dial(`{"token":"ann/3600/d-1/d-2/team*","documents":["d-1","d-2","team-1"]}`)
	if err := w.gateway.joinDoc(w.gateway.shardOf(p.id), p.id, "component's"); err != nil {
		t.Fatal(err)
	}
	w.gateway.joinedDocs(p.id, []id.Doc{"component's"})
	p.send(`421["sluice:auth",{"token":"ann/7200/d-2/d-3"}]`)
	if got := p.next(); !strings.HasPrefix(got, `431[{"ok":true`) {
		t.Fatal(got)
	}
	want := []id.Doc{"component's", "d-2"}
	c, _ := w.gateway.Lookup(p.id)
	slices.Sort(c.Docs)
	indexed, _ := w.indexed(p.id)
	slices.Sort(indexed.Docs)
	if !slices.Equal(c.Docs, want) || !slices.Equal(indexed.Docs, want) {
		t.Errorf("here %v, in the index %v, want %v", c.Docs, indexed.Docs, want)
	}
	p.send(`422["sluice:join","d-1"]`, `423["sluice:join","d-3"]`)
	p.expect(`432[{"error":"forbidden","retry":"never"}]`, `433[{"ok":true}]`)
}

func TestANewTokenThatWasRevokedIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens(epoch())
	p := w.dial(`{"token":"ann/3600"}`)
	w.mu.Lock()
	w.revoked = func(t session.Token) (bool, error) { return t.ID == "ann/7200", nil }
	w.mu.Unlock()
	p.send(`421["sluice:auth",{"token":"ann/7200"}]`)
	p.expect(`431[{"ok":false,"code":"revoked","retry":"new_token"}]`)
	p.send(`422["sluice:auth",{"token":"ann/9000"}]`)
	if got := p.next(); !strings.HasPrefix(got, `432[{"ok":true`) {
		t.Error(got)
	}
}
