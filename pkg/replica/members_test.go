package replica

import (
	"slices"
	"testing"
	"time"

	"sluice/pkg/id"
)

// names lists the members' names.
func names(members []Member) (out []string) {
	for _, m := range members {
		out = append(out, m.Name)
	}
	slices.Sort(out)
	return out
}

func wantMembers(t *testing.T, r *Registry, want ...string) {
	t.Helper()
	if got := names(r.Members()); !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	for _, m := range r.Members() {
		if found, ok := r.Lookup(m.Replica); !ok || found != m {
			t.Errorf("Lookup(%d) = %+v, %v", m.Replica, found, ok)
		}
	}
}

func TestMembersAreTheLivingOfAllServices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		one := b.start(t, testConfig(), named("one", "1"), c)
		wantMembers(t, one, "one")
		i := named("two", "2")
		i.Service = "ws-api"
		two := b.start(t, testConfig(), i, c)
		wantMembers(t, two, "one", "two") // from the first moment
		must(t, one.refresh(soon(t)))
		wantMembers(t, one, "one", "two")

		two.SetHealth(func() (int64, int) { return 1234, 3 })
		c.step(time.Second)
		must(t, two.SetState(soon(t), StateDraining))
		must(t, one.refresh(soon(t)))
		got, ok := one.Lookup(two.Replica())
		want := Member{
			Replica: two.Replica(), Identity: i, State: StateDraining, Sockets: 1234, Level: 3,
			HeartbeatAt: time.UnixMilli(c.now().UnixMilli()),
		}
		if !ok || got != want {
			t.Errorf("member %+v, want %+v", got, want)
		}
		must(t, two.Release(soon(t)))
		must(t, one.refresh(soon(t)))
		wantMembers(t, one, "one")
		if _, ok := one.Lookup(two.Replica()); ok {
			t.Error("the released process is still found")
		}
	})
}

func TestSilentMemberDiesAfterDeadAfter(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		cfg, c := testConfig(), newClock()
		one := b.start(t, cfg, named("one", "1"), c)
		b.start(t, cfg, named("silent", "1"), c)
		for range 5 {
			must(t, one.round(soon(t), new(time.Time)))
			wantMembers(t, one, "one", "silent")
			c.step(3 * time.Second)
		}
		must(t, one.round(soon(t), new(time.Time)))
		wantMembers(t, one, "one")
	})
}

func TestRestartedMemberIsThereAtOnceWithItsNewBoot(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	one := b.start(t, testConfig(), named("one", "1"), c)
	b.start(t, testConfig(), named("two", "1"), c)
	two := b.start(t, testConfig(), named("two", "1"), c)
	must(t, one.refresh(soon(t)))
	if m, ok := one.Lookup(two.Replica()); !ok || m.Boot != two.Boot() {
		t.Errorf("member %+v, %v", m, ok)
	}
}

func TestClockOfAnotherMachineDoesNotDecide(t *testing.T) {
	for name, skew := range map[string]time.Duration{"behind": -10 * time.Minute, "ahead": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			b, c, other := sqliteBackend(t), newClock(), newClock()
			other.step(skew)
			one := b.start(t, testConfig(), named("one", "1"), c)
			two := b.start(t, testConfig(), named("two", "1"), other)
			round := func() {
				c.step(3 * time.Second)
				other.step(3 * time.Second)
				must(t, one.round(soon(t), new(time.Time)))
			}
			round() // at first sight it may look dead
			for range 20 {
				must(t, two.beat(soon(t)))
				round()
				wantMembers(t, one, "one", "two")
			}
			for range 6 {
				round()
			}
			wantMembers(t, one, "one")
		})
	}
}

func TestOwnClockSteppedDoesNotKillOrKeepTheOthers(t *testing.T) {
	for name, step := range map[string]time.Duration{"back": -time.Hour, "forth": time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, c, other := sqliteBackend(t), newClock(), newClock()
			one := b.start(t, testConfig(), named("one", "1"), c)
			b.start(t, testConfig(), named("two", "1"), other)
			must(t, one.round(soon(t), new(time.Time)))
			c.step(step)
			must(t, one.round(soon(t), new(time.Time)))
			wantMembers(t, one, "one", "two")
			for range 6 {
				c.step(3 * time.Second)
				must(t, one.round(soon(t), new(time.Time)))
			}
			wantMembers(t, one, "one")
		})
	}
}

// While the database was away nobody's heartbeat could be seen. When it is back,
// whoever comes a little later than we do must not be taken for dead.
func TestOutageKillsNobodyAndRaisesNobody(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		one := b.start(t, testConfig(), named("one", "1"), c)
		two := b.start(t, testConfig(), named("two", "1"), c)
		b.start(t, testConfig(), named("dead", "1"), c)
		must(t, one.refresh(soon(t)))
		wantMembers(t, one, "dead", "one", "two")
		for range 5 {
			c.step(4 * time.Second)
			must(t, two.beat(soon(t)))
			must(t, one.round(soon(t), new(time.Time)))
		}
		wantMembers(t, one, "one", "two")
		c.step(3 * time.Hour)
		wantMembers(t, one, "one", "two")
		must(t, one.round(soon(t), new(time.Time)))
		wantMembers(t, one, "one", "two")
		c.step(10 * time.Second)
		must(t, two.beat(soon(t)))
		must(t, one.round(soon(t), new(time.Time)))
		c.step(6 * time.Second)
		must(t, one.round(soon(t), new(time.Time)))
		wantMembers(t, one, "one", "two")
	})
}

func TestLongDeadAreNotEvenRead(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	b.start(t, testConfig(), named("dead", "1"), c)
	c.step(26 * time.Hour)
	one := b.start(t, testConfig(), named("one", "1"), c)
	must(t, one.refresh(soon(t)))
	if _, ok := one.sightings.of[int(one.Replica())]; !ok || len(one.sightings.of) != 1 {
		t.Errorf("sightings %v", one.sightings.of)
	}
}

func TestLookupOfNobody(t *testing.T) {
	r := newRegistry(testConfig(), named("one", "1"), nil, newClock().now)
	if m, ok := r.Lookup(id.Replica(0)); ok || len(r.Members()) != 0 {
		t.Errorf("%+v", m)
	}
}
