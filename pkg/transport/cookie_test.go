package transport

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNoCookieUnlessConfigured(t *testing.T) {
	w := newWorld(t)
	if r := w.ask("GET", "?EIO=4&transport=polling", ""); r.header.Get("Set-Cookie") != "" {
		t.Errorf("%v", r.header)
	}
}

func TestCookieNamesTheSession(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(*CookieConfig)
		want string
	}{
		{"defaults", func(c *CookieConfig) { c.Name = "io" }, "io=%s; Path=/; HttpOnly; SameSite=Lax"},
		{"all", func(c *CookieConfig) {
			*c = CookieConfig{Name: "c", Path: "/x", SameSite: "none", MaxAge: time.Hour, Secure: true}
		}, "c=%s; Max-Age=3600; Path=/x; Secure; SameSite=None"},
	} {
		w := newWorld(t, config(func(c *Config) { row.set(&c.Cookie) }))
		for _, eio := range []int{3, 4} {
			r := w.ask("GET", fmt.Sprintf("?EIO=%d&transport=polling", eio), "")
			c := w.next()
			if got, want := r.header.Get("Set-Cookie"), fmt.Sprintf(row.want, c.s.SID()); got != want {
				t.Errorf("%s, EIO %d, polling: %q, want %q", row.name, eio, got, want)
			}
			c.s.Send(NewFrame([]byte("x")))
			if r := w.ask("GET", fmt.Sprintf("?EIO=%d&transport=polling&sid=%s", eio, c.s.SID()), ""); r.header.Get("Set-Cookie") != "" {
				t.Errorf("%s, EIO %d: set again: %q", row.name, eio, r.header.Get("Set-Cookie"))
			}
			_, resp, err := w.tryDial(fmt.Sprintf("?EIO=%d&transport=websocket", eio))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := resp.Header.Get("Set-Cookie"), fmt.Sprintf(row.want, w.next().s.SID()); got != want {
				t.Errorf("%s, EIO %d, websocket: %q, want %q", row.name, eio, got, want)
			}
		}
	}
}

// A cookie travels with requests that other pages make.
func TestTheCookieLetsNobodyIn(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.Cookie.Name = "io" }))
	_, c := w.poll(4)
	r := w.ask("POST", "?EIO=4&transport=polling", "4x", "Cookie", "io="+c.s.SID())
	if r.status != 400 || !strings.Contains(r.body, `"code":2`) {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestCookieConfigIsChecked(t *testing.T) {
	for _, bad := range []CookieConfig{
		{Name: "a b", Path: "/", SameSite: "lax"}, {Name: "io", SameSite: "lax"}, {Name: "io", Path: "/;x", SameSite: "lax"},
		{Name: "io", Path: "/"}, {Name: "io", Path: "/", SameSite: "none"}, {Name: "io", Path: "/", SameSite: "lax", MaxAge: -1},
	} {
		cfg := DefaultConfig()
		cfg.Cookie = bad
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "cookie.") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Browsers drop a connection whose answer has none of the protocols they named.
func TestTheFirstSubprotocolIsTaken(t *testing.T) {
	w := newWorld(t)
	for sent, want := range map[string]string{"a, b": "a", "graphql-ws": "graphql-ws", "a b": "", ", a": ""} {
		_, resp, err := w.tryDial("?EIO=4&transport=websocket", "Sec-WebSocket-Protocol", sent)
		if err != nil {
			t.Fatal(err)
		}
		w.next()
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}
