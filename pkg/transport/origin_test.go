package transport

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestOrigins(t *testing.T) {
	for _, row := range []struct {
		name    string
		list    []string
		origins []string
		want    bool
	}{
		{"none sent", []string{"https://a.example"}, nil, true},
		{"listed", []string{"https://a.example"}, []string{"https://a.example"}, true},
		{"other scheme", []string{"https://a.example"}, []string{"http://a.example"}, false},
		{"other port", []string{"https://a.example"}, []string{"https://a.example:8443"}, false},
		{"longer name", []string{"https://a.example"}, []string{"https://a.example.evil.example"}, false},
		{"subdomain", []string{"https://a.example"}, []string{"https://x.a.example"}, false},
		{"user part", []string{"https://a.example"}, []string{"https://a.example@evil.example"}, false},
		{"slash", []string{"https://a.example"}, []string{"https://a.example/"}, false},
		{"null", []string{"https://a.example"}, []string{"null"}, false},
		{"empty", []string{"https://a.example"}, []string{""}, false},
		{"two", []string{"https://a.example"}, []string{"https://a.example", "https://evil.example"}, false},
		{"own host, but there is a list", []string{"https://a.example"}, []string{"https://own.example"}, false},
		{"null listed", []string{"null"}, []string{"null"}, true},
		{"any", []string{"*"}, []string{"https://evil.example"}, true},
		{"own host", nil, []string{"https://own.example"}, true},
		{"own host in capitals", nil, []string{"https://OWN.example"}, true},
		{"another host", nil, []string{"https://evil.example"}, false},
		{"own host as a prefix", nil, []string{"https://own.example.evil.example"}, false},
		{"null, no list", nil, []string{"null"}, false},
		{"empty, no list", nil, []string{""}, false},
		{"no scheme", nil, []string{"own.example"}, false},
	} {
		cfg := DefaultConfig()
		cfg.Origins = row.list
		o := newOrigins(&cfg)
		r := httptest.NewRequest("GET", "https://own.example/socket.io/", nil)
		for _, v := range row.origins {
			r.Header.Add("Origin", v)
		}
		if got := o.allow(r); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestOtherOriginsAreRefusedEverywhere(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.Origins = []string{"http://a.example"} }))
	w.ask("GET", "?EIO=4&transport=polling", "", "Origin", "http://b.example").wants(t, 403, forbiddenBody)
	if _, resp, err := w.tryDial("?EIO=4&transport=websocket", "Origin", "http://b.example"); err == nil || resp.StatusCode != 400 {
		t.Errorf("websocket: %v", err)
	}
	q, c := w.poll(4)
	w.ask("POST", q, "4x", "Origin", "http://b.example").wants(t, 403, forbiddenBody)
	w.ask("GET", q, "", "Origin", "null").wants(t, 403, forbiddenBody)
	w.ask("POST", q, "4y", "Origin", "http://a.example").wants(t, 200, "ok")
	c.wants("y")
	r := w.ask("GET", "?EIO=4&transport=polling", "", "Origin", "http://a.example")
	w.next()
	if r.status != 200 || len(r.header.Values("Access-Control-Allow-Origin")) > 0 {
		t.Errorf("CORS is off: %v", r.header)
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t, config(func(c *Config) {
		c.CORS, c.CORSCredentials, c.Origins = true, true, []string{"http://a.example"}
	}))
	vary := "Origin, Access-Control-Request-Headers"
	check := func(r reply, name string) {
		t.Helper()
		if r.header.Get("Access-Control-Allow-Origin") != "http://a.example" || r.header.Get("Vary") != vary ||
			r.header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %v", name, r.header)
		}
	}
	r := w.ask("OPTIONS", "?EIO=4&transport=polling", "", "Origin", "http://a.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "X-Token")
	r.wants(t, 204, "")
	check(r, "preflight")
	if got := r.header.Get("Access-Control-Allow-Methods"); got != "GET,HEAD,PUT,PATCH,POST,DELETE" {
		t.Errorf("methods %q", got)
	}
	if got := r.header.Get("Access-Control-Allow-Headers"); got != "X-Token" {
		t.Errorf("headers %q", got)
	}
	vary = "Origin"
	r = w.ask("GET", "?EIO=4&transport=polling", "", "Origin", "http://a.example")
	w.next()
	check(r, "handshake")
	_, up, err := w.tryDial("?EIO=4&transport=websocket", "Origin", "http://a.example")
	if err != nil {
		t.Fatal(err)
	}
	w.next()
	check(reply{header: up.Header}, "upgrade")
	r = w.ask("GET", "?EIO=4&transport=x", "", "Origin", "http://a.example")
	r.wants(t, 400, transportUnknown)
	check(r, "error")
	r = w.ask("GET", "?EIO=4&transport=polling&sid=x", "", "Origin", "http://b.example")
	r.wants(t, 400, sessionUnknown)
	if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Vary") != "Origin" {
		t.Errorf("other origin: %v", r.header)
	}
	r = w.ask("OPTIONS", "?EIO=4&transport=polling", "", "Origin", "http://b.example")
	r.wants(t, 204, "")
	if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Vary") != "Origin, Access-Control-Request-Headers" {
		t.Errorf("preflight of another origin: %v", r.header)
	}
}

func TestCORSForEverybody(t *testing.T) {
	w := newWorld(t, config(func(c *Config) {
		c.CORS, c.Origins, c.CORSHeaders, c.CORSMaxAge = true, []string{"*"}, []string{"X-A", "X-B"}, time.Hour
	}))
	r := w.ask("GET", "?EIO=4&transport=polling", "", "Origin", "http://a.example")
	w.next()
	if r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Vary") != "" {
		t.Errorf("without credentials the answer is the same for all: %v", r.header)
	}
	r = w.ask("OPTIONS", "?EIO=4&transport=polling", "", "Origin", "http://a.example", "Access-Control-Request-Headers", "X-C")
	if r.header.Get("Access-Control-Allow-Headers") != "X-A,X-B" || r.header.Get("Access-Control-Max-Age") != "3600" || r.header.Get("Vary") != "" {
		t.Errorf("preflight: %v", r.header)
	}
}
