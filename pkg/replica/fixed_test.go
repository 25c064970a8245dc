package replica

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func fixed(number int) Config {
	cfg := testConfig()
	cfg.Fixed = number
	return cfg
}

func TestFixedNumberIsGivenAndInherited(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		for _, number := range []int{0, 4095} {
			for range 2 {
				r := b.start(t, fixed(number), named("machine", "1"), c)
				if int(r.Replica()) != number {
					t.Errorf("number %d, want %d", r.Replica(), number)
				}
			}
		}
	})
}

func TestFixedNumberOfALivingProcessIsRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		cfg, c := fixed(9), newClock()
		holder := b.start(t, cfg, named("gw-1", "1"), c)
		for _, other := range []Identity{named("gw-2", "1"), named("gw-1", "2")} {
			r := newRegistry(cfg, other, b.handle(t).Open, c.now)
			_, err := r.Register(soon(t))
			var taken *NumberTakenError
			if !errors.As(err, &taken) || taken.Replica != 9 || taken.Holder != holder.ident {
				t.Fatalf("err = %v", err)
			}
			for _, part := range []string{"number 9", "gw-1", "gw-1.test:9090", "2026-05-01T12:00:00Z"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		}
		must(t, holder.beat(soon(t))) // nobody disturbed it

		// It stops its heart: the number is free for whoever is told to have it.
		c.step(cfg.DeadAfter)
		heir := b.start(t, cfg, named("gw-2", "1"), c)
		if heir.Replica() != 9 || heir.gen.Load().Last() < holder.gen.Load().Until() {
			t.Errorf("number %d after %d, the former until %d", heir.Replica(), heir.gen.Load().Last(), holder.gen.Load().Until())
		}
		if err := holder.beat(soon(t)); !errors.Is(err, ErrTakenOver) {
			t.Errorf("the former holder: %v", err)
		}
	})
}

func TestReleasedFixedNumberIsFreeForTheNextVersionAtOnce(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	old := b.start(t, fixed(9), named("gw-1", "1"), c)
	must(t, old.Release(soon(t)))
	if r := b.start(t, fixed(9), named("gw-1", "2"), c); r.Replica() != 9 {
		t.Errorf("number %d", r.Replica())
	}
}

func TestFixingANumberLeavesTheFormerOneToNobody(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		before := b.start(t, testConfig(), named("gw-1", "1"), c)
		after := b.start(t, fixed(4000), named("gw-1", "1"), c)
		if after.Replica() != 4000 {
			t.Fatalf("number %d", after.Replica())
		}
		if err := before.renew(soon(t)); err != nil {
			t.Errorf("a renewal without need: %v", err)
		}
		c.step(time.Minute)
		if err := before.renew(soon(t)); !errors.Is(err, ErrTakenOver) {
			t.Errorf("the former process: %v", err)
		}
		// Without a fixed number the name keeps the one it has now.
		if r := b.start(t, testConfig(), named("gw-1", "1"), c); r.Replica() != 4000 {
			t.Errorf("number %d", r.Replica())
		}
	})
}
