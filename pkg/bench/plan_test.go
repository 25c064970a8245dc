package bench

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	oneServer = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9000")}
	afar      = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443")}
	usual     = limits{files: 20_000, ports: 28_000}
)

func plan(t *testing.T, sockets, workers int, churn float64, servers []netip.AddrPort, given []netip.Addr, lim limits) ([]group, error) {
	t.Helper()
	s := defaultScenario()
	s.Clients.Sockets, s.Churn.PerSecond = sockets, churn
	groups, err := makePlan(&s, servers, given, workers, lim)
	if err != nil {
		if !errors.Is(err, errPlan) {
			t.Errorf("%v is no refusal of a plan", err)
		}
		return nil, err
	}
	next := uint32(0)
	for _, g := range groups {
		if g.First != next || g.Count == 0 {
			t.Fatalf("%d clients from %d on, want from %d", g.Count, g.First, next)
		}
		next += g.Count
	}
	if int(next) != sockets {
		t.Fatalf("%d clients of %d", next, sockets)
	}
	return groups, nil
}

func TestPlansFitTheLimits(t *testing.T) {
	for name, c := range map[string]struct {
		sockets, workers int
		want             int
	}{
		"few": {10, 0, 1}, "one worker's": {10_000, 0, 1}, "one above": {10_001, 0, 2}, "a hundred thousand": {100_000, 0, 10},
		"more workers than clients": {3, 5, 3}, "as told, at the limit": {39_600, 2, 2},
	} {
		groups, err := plan(t, c.sockets, c.workers, 0, oneServer, nil, usual)
		if err != nil || len(groups) != c.want {
			t.Errorf("%s: %d workers, %v", name, len(groups), err)
		}
	}
	for name, c := range map[string]struct {
		sockets, workers int
		lim              limits
		want             string
	}{
		"one above the files of two":   {39_601, 2, usual, "at least 3 workers"},
		"a hundred times too many":     {3_960_000, 2, usual, "at least 200 workers"},
		"no files at all":              {10, 0, limits{files: 200, ports: 28_000}, "200 open files"},
		"more workers than make sense": {10_000_000, 0, usual, "workers"},
	} {
		if _, err := plan(t, c.sockets, c.workers, 0, oneServer, nil, c.lim); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryWorkerHasAddressesOfItsOwn(t *testing.T) {
	groups, err := plan(t, 60_000, 4, 0, oneServer, nil, limits{files: 20_000, ports: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{}
	for _, g := range groups {
		if len(g.Sources) != 2 { // 15,000 clients, and 8,000 ports to be used of each
			t.Errorf("%d addresses", len(g.Sources))
		}
		for _, a := range g.Sources {
			if seen[a] || !a.IsLoopback() {
				t.Errorf("%v is used twice, or is none", a)
			}
			seen[a] = true
		}
	}
	calm, _ := plan(t, 10_000, 1, 0, oneServer, nil, usual)
	moving, _ := plan(t, 10_000, 1, 0.08, oneServer, nil, usual)
	if len(calm[0].Sources) != 1 || len(moving[0].Sources) != 3 {
		t.Errorf("%d addresses when nobody leaves, %d when 800 a second do", len(calm[0].Sources), len(moving[0].Sources))
	}
}

func TestAFarServerNeedsSources(t *testing.T) {
	if groups, err := plan(t, 20_000, 2, 0, afar, nil, usual); err == nil {
		t.Errorf("two workers share one address unasked: %v", groups)
	}
	if groups, err := plan(t, 10_000, 1, 0, afar, nil, usual); err != nil || len(groups[0].Sources) != 0 {
		t.Errorf("what one address can do: %v, %v", groups, err)
	}
	given := []netip.Addr{netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("192.0.2.9")}
	if groups, err := plan(t, 20_000, 2, 0, afar, given, usual); err != nil || len(groups[1].Sources) != 2 {
		t.Errorf("with two: %v, %v", groups, err)
	}
}

func TestServersThatCannotHoldTheClientsAreSeenBefore(t *testing.T) {
	files := map[int]int{7: 20_000}
	if err := checkServers(36_000, 2, files); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	for _, sockets := range []int{36_001, 3_600_000} {
		err := checkServers(sockets, 2, files)
		if err == nil || !strings.Contains(err.Error(), "servers are needed") {
			t.Errorf("%d: %v", sockets, err)
		}
	}
}

func TestScalingIsSaid(t *testing.T) {
	s, err := LoadScenario("s4")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(Scale{Sockets: 2000, Duration: time.Minute}.apply(&s), "\n")
	if s.Clients.Sockets != 2000 || s.Load.Duration != time.Minute || s.Churn.PerSecond != 0.08 {
		t.Errorf("%+v", s)
	}
	want := "Scaled: 2,000 sockets, 500,000 in the scenario (1 to 250).\n" +
		"Scaled: 160 clients leave and come each second, 40,000 in the scenario (the same share).\n" +
		"Scaled: 1m0s of load, 15m0s in the scenario."
	if said != want {
		t.Errorf("%s", said)
	}
	if said := (Scale{}).apply(&s); said != nil {
		t.Errorf("nothing was changed: %v", said)
	}
	storm, err := LoadScenario("storm")
	if err != nil {
		t.Fatal(err)
	}
	if said := (Scale{Sockets: 1000, Duration: 8 * time.Second}).apply(&storm); len(said) != 4 || storm.Clients.Documents != 100 || storm.Cut.After != 2*time.Second {
		t.Errorf("%+v: %v", storm, said)
	}
}
