package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/pkg/bus"
	"sluice/pkg/transport"
)

func withRefused(c *Config, _ *transport.Config) {
	c.Namespaces = []string{"/", "/custom"}
	c.Refuse = []RefuseConfig{
		{Namespace: "/old", Message: "Moved", Data: `{"to":"/custom"}`},
		{Namespace: "/shut", Message: "Shut"},
	}
}

func TestClosedNamespacesSayWhy(t *testing.T) {
	w := newWorld(t, withRefused)
	p := w.open()
	p.send(`40/old,{"token":"bad"}`, "40/shut")
	p.expect(`44/old,{"message":"Moved","data":{"to":"/custom"}}`, `44/shut,{"message":"Shut"}`)
}

// older opens a session of the generation that connects in the namespace's query.
func (w *world) older() *poller {
	w.t.Helper()
	p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=3&transport=polling&b64=1"}
	hello := strings.Join(p.poll(), "")
	_, rest, _ := strings.Cut(hello, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	p.url += "&sid=" + sid
	if !strings.Contains(hello, "2:40") {
		p.expect("2:40")
	}
	return p
}

// post sends one packet in the older payload form.
func (p *poller) post(packet string) {
	p.w.t.Helper()
	r, err := http.Post(p.url, "text/plain", strings.NewReader(fmt.Sprintf("%d:%s", len(packet), packet)))
	if err != nil {
		p.w.t.Fatal(err)
	}
	_ = r.Body.Close() // always "ok"
}

func TestOlderClientsGetTheirFormOfRefusals(t *testing.T) {
	w := newWorld(t, withRefused)
	p := w.older()
	for _, c := range [][2]string{
		{"40/old", `44/old,{"to":"/custom"}`},
		{"40/shut", `44/shut,"Shut"`},
		{"40/nowhere?x=1", `44/nowhere,{"message":"Invalid namespace"}`},
		{"40/custom?token=bad", `44/custom,{"code":"unauthorized","retry":"new_token"}`},
	} {
		p.post(c[0])
		p.expect(fmt.Sprintf("%d:%s", len(c[1]), c[1]))
	}
}

func TestQueriesOfOlderClientsAreTheirAuth(t *testing.T) {
	w := newWorld(t, withRefused)
	p := w.older()
	p.post("40/custom?a=1&b=x%20y&b=z")
	p.expect("10:40/custom,")
	var auth [][]byte
	for _, up := range w.ups(t) {
		auth = append(auth, up.Args)
	}
	want := []string{`[{}]`, `[{"a":"1","b":["x y","z"]}]`}
	if got := fmt.Sprintf("%s", auth); got != fmt.Sprint(want) {
		t.Errorf("components are told %s, want %s", got, want)
	}
}

// ups decodes what the components were told so far.
func (w *world) ups(t *testing.T) []bus.Up {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []bus.Up
	for _, rec := range w.up {
		up, err := bus.DecodeUp(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, up)
	}
	return all
}

func TestQueriesOfOlderClientsAreCredentials(t *testing.T) {
	before := credentials{Token: "old", Locale: "en"}
	c, object := namespaceCredentials("token=new&documents=a,b", &before)
	if c.Token != "new" || c.Locale != "en" || !slices.Equal(c.Documents, []string{"a", "b"}) || before.Token != "old" {
		t.Errorf("credentials are %+v", c)
	}
	if !json.Valid(object) {
		t.Errorf("the object is %s", object)
	}
	if c, object = namespaceCredentials("", nil); c.Token != "" || object != nil {
		t.Errorf("nothing said is %+v, %s", c, object)
	}
}

func TestRefusedNamespacesAreChecked(t *testing.T) {
	c := DefaultConfig()
	c.Refuse = []RefuseConfig{{Namespace: "x"}, {Namespace: "/", Message: "m", Data: "{"}}
	err := fmt.Sprint(c.Validate())
	for _, want := range []string{"refuse[0].namespace: must begin", "refuse[0].message:", "refuse[1].namespace: is one of", "refuse[1].data:"} {
		if !strings.Contains(err, want) {
			t.Errorf("no %q in %s", want, err)
		}
	}
}
