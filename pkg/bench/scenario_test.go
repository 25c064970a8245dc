package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestShippedScenariosLoad(t *testing.T) {
	names := Shipped()
	for _, want := range []string{"s1", "s2", "s3", "s4", "storm", "hot", "slow", "flood", "latency", "readers", "docs", "unicast", "broadcast"} {
		found := false
		for _, name := range names {
			found = found || name == want
		}
		if !found {
			t.Errorf("%s is not shipped", want)
		}
	}
	for _, name := range names {
		if s, err := LoadScenario(name); err != nil || s.name != name || s.Title == "" || s.About == "" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	s, err := LoadScenario("s4")
	if err != nil || s.Clients.Sockets != 500_000 || s.Push.Every != 5*time.Second || !s.Push.Receipts || s.Churn.PerSecond*500_000 != 40_000 {
		t.Errorf("s4 is not the article's: %+v, %v", s, err)
	}
}

func TestEverythingWrongWithAScenarioIsSaidAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(wants ...string) {
		t.Helper()
		_, err := LoadScenario(file)
		if err == nil {
			t.Fatal("it is taken")
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("nothing is said of %q:\n%v", want, err)
			}
		}
	}
	write("titel = \"typo\"\n[push]\nevery = 5\n[clients]\nsockets = \"many\"\n[load]\nfor = \"5s\"\n")
	refused("titel", "every", "duration in quotes", "sockets", "for")
	write("[clients]\nsockets = 0\nhot_share = 1.5\n[push]\nto = \"each\"\npayload = \"what\"\nburst = 0\n[slow]\nshare = 1.0\n" +
		"[cut]\nshare = 0.5\nafter = \"1h\"\n[upstream]\nbytes = 500_001\n")
	refused("clients.sockets", "clients.hot_share", "push.to: each needs", "push.payload", "push.burst", "slow.share", "cut.after", "upstream.bytes")
	write("[clients]\nsockets = 10\ndocuments = 2\nfirst = 1.5\n[light]\nduration = \"5s\"\n[load]\nduration = \"0s\"\n" +
		"[push]\nto = \"all\"\npushers = 2\nwindow = -1\n[upstream]\ngateway = true\n")
	refused("clients.first", "light.duration", "push.pushers", "push.window", "upstream.gateway")
	write("[clients]\nsockets = 10\n[push]\nto = \"socket\"\npushers = 11\nwindow = 1\n[churn]\nper_second = 0.1\n")
	refused("push.to: socket needs", "push.pushers", "push.window: needs")
	write("[clients]\nsockets = 10\n[push]\nto = \"socket\"\npushers = 10\n")
	if _, err := LoadScenario(file); err != nil {
		t.Errorf("a pusher for each socket: %v", err)
	}
	write("[push\n")
	refused("line 1")
	write("[push]\nbytes = 500_000\n")
	if _, err := LoadScenario(file); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := LoadScenario("s9"); err == nil || !strings.Contains(err.Error(), "s1, s2") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestEverythingWrongWithTargetsIsSaidAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "targets.toml")
	text := `
[[target]]
kind = "socketio"
servers = ["ws://127.0.0.1:9000/"]
[[target]]
kind = "what"
servers = ["wss://ws.example.com", "no-port"]
sources = ["here"]
[[target]]
servers = ["127.0.0.1:9000"]
metrics = ["http://a/metrics"]
pids = [1, 2]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadTargets(file)
	if err == nil {
		t.Fatal("they are taken")
	}
	for _, want := range []string{"target 2: kind", "target 2: servers: all with wss://", `"no-port"`, "target 2: sources", "target 3: token", "target 3: metrics"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "target 1") {
		t.Errorf("the first is fine:\n%v", err)
	}
}

func TestClientsAreSpreadOverDocuments(t *testing.T) {
	count := func(c ClientsSection, sockets uint32) map[uint32]int {
		in := map[uint32]int{}
		for i := range sockets {
			in[c.document(i)]++
		}
		return in
	}
	if in := count(ClientsSection{Documents: 10}, 1000); len(in) != 10 || in[0] != 100 || in[9] != 100 {
		t.Errorf("evenly: %v", in)
	}
	if in := count(ClientsSection{Documents: 11, HotShare: .5}, 2000); len(in) != 11 || in[0] != 1000 || in[5] != 100 {
		t.Errorf("half in one: %v", in)
	}
	if in := count(ClientsSection{}, 10); in[0] != 10 {
		t.Errorf("none: %v", in)
	}
}
