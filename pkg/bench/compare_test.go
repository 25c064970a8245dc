package bench

import (
	"strings"
	"testing"
	"time"
)

func TestVariantsAreSettingsOfTheGateways(t *testing.T) {
	ways, err := variants("transport.reader=goroutine, reactor")
	if err != nil || len(ways) != 2 || ways[0].name != "reader=goroutine" || ways[1].env["SLUICE_TRANSPORT_READER"] != "reactor" {
		t.Errorf("%+v, %v", ways, err)
	}
	if ways, err := variants(""); err != nil || len(ways) != 1 || ways[0].name != "" {
		t.Errorf("nothing to compare: %+v, %v", ways, err)
	}
	for _, text := range []string{"transport.reader", "transport.reader=", "transport.reader=one", "=a,b", ","} {
		if ways, err := variants(text); err == nil || !strings.Contains(err.Error(), "-compare") {
			t.Errorf("%q: %+v, %v", text, ways, err)
		}
	}
}

func TestAScenarioNamesItsSockets(t *testing.T) {
	all := Scale{Sockets: 10, Every: time.Second}
	for name, want := range map[string]struct {
		name    string
		sockets int
	}{
		"s1": {"s1", 10}, "s1@100000": {"s1", 100_000}, "s1@0": {"s1@0", 10}, "a@b.toml": {"a@b.toml", 10}, "a@b.toml@7": {"a@b.toml", 7}, "@5": {"@5", 10},
	} {
		if bare, s := all.of(name); bare != want.name || s.Sockets != want.sockets || s.Every != time.Second {
			t.Errorf("%s: %s with %d sockets, want %+v", name, bare, s.Sockets, want)
		}
	}
	o := runOptions{scenario: []string{"s2@1000"}, scale: Scale{Every: 10 * time.Second}}
	plans, err := o.load()
	if err != nil || len(plans) != 1 || plans[0].meant != 500_000 || plans[0].Clients.Sockets != 1000 || plans[0].Push.Every != 10*time.Second {
		t.Fatalf("%+v, %v", plans, err)
	}
	if said := strings.Join(plans[0].said, "\n"); !strings.Contains(said, "every 10s, every 5s in the scenario") {
		t.Error(said)
	}
}

func TestSlowReadersAreRunBesideNone(t *testing.T) {
	o := runOptions{scenario: []string{"slow", "s1"}}
	plans, err := o.load()
	if err != nil || len(plans) != 3 {
		t.Fatalf("%d plans, %v", len(plans), err)
	}
	alone, slow := plans[0], plans[1]
	if alone.beside == "" || alone.Slow.Share != 0 || alone.Clients.Sockets != 1800 || slow.beside != "" || slow.Slow.Share != .1 || slow.Clients.Sockets != 2000 {
		t.Errorf("%+v\n%+v", alone, slow)
	}
}

func TestAScaledScenarioMustFit(t *testing.T) {
	o := runOptions{scenario: []string{"unicast@10"}}
	if _, err := o.load(); err == nil || !strings.Contains(err.Error(), "push.pushers") {
		t.Errorf("ten sockets for sixteen pushers: %v", err)
	}
}

func TestEveryPusherHasItsOwnStreams(t *testing.T) {
	for _, to := range []string{toEach, toRandom, toSocket} {
		p := PushSection{To: to, Pushers: 3}
		seen := map[uint32]bool{}
		for pusher := range uint32(3) {
			for turn := range uint32(1000) {
				n := p.stream(10, pusher, turn)
				if n >= 10 || n%3 != pusher {
					t.Fatalf("%s: pusher %d got stream %d", to, pusher, n)
				}
				seen[n] = true
			}
		}
		if len(seen) != 10 {
			t.Errorf("%s: %d of 10 streams", to, len(seen))
		}
	}
	for _, to := range []string{toAll, toHot} {
		p := PushSection{To: to, Pushers: 1}
		if n := p.stream(10, 0, 7); n != 0 {
			t.Errorf("%s: %d", to, n)
		}
	}
}

func TestGivenServicesMustBeComplete(t *testing.T) {
	env := map[string]string{"SLUICE_KAFKA_BROKERS": "a:1, b:2", "SLUICE_REDIS_ADDR": "c:3", "SLUICE_REGISTRY_DSN": "d"}
	get := func(name string) string { return env[name] }
	if s, err := given(get); err != nil || len(s.Kafka) != 2 || s.Redis != "c:3" || s.Driver != "mysql" || s.DSN != "d" {
		t.Errorf("%+v, %v", s, err)
	}
	for name := range env {
		without := func(n string) string { return map[bool]string{false: env[n]}[n == name] }
		if s, err := given(without); err == nil {
			t.Errorf("without %s: %+v", name, s)
		}
	}
}
