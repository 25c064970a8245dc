package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"gorm.io/gorm"

	"sluice/pkg/id"
)

func TestLeaseIsExtendedAndEndsWithoutExtension(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		cfg, c := testConfig(), newClock()
		r := b.start(t, cfg, named("gw-1", "1"), c)
		begin := c.millis()
		const day = 24 * 3600_000
		if got := b.rowOf(t, r.Replica()); got.LeaseUntil != begin+day || got.LeaseAfter != 0 {
			t.Errorf("row has (%d, %d]", got.LeaseAfter-begin, got.LeaseUntil-begin)
		}
		c.step(23 * time.Hour)
		must(t, r.renew(soon(t)))
		if got, gen := b.rowOf(t, r.Replica()), r.gen.Load(); got.LeaseUntil != c.millis()+day || gen.Until() != got.LeaseUntil {
			t.Errorf("row until %d, generator until %d, want %d", got.LeaseUntil, gen.Until(), c.millis()+day)
		}
		c.step(24 * time.Hour)
		mint(t, r) // the last millisecond
		c.step(time.Millisecond)
		if _, err := r.gen.Load().Socket(); !errors.Is(err, id.ErrLease) {
			t.Errorf("past the lease: %v", err)
		}
		must(t, r.renew(soon(t)))
		mint(t, r)
	})
}

func TestClockSteppedBackKeepsIdsRising(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.start(t, testConfig(), named("gw-1", "1"), c)
		last := mint(t, r)
		until := r.gen.Load().Until()
		c.step(-time.Hour)
		for range 3 {
			must(t, r.renew(soon(t)))
			s := mint(t, r)
			if s <= last {
				t.Fatalf("%v after %v", s, last)
			}
			last = s
			c.step(time.Second)
		}
		if b.rowOf(t, r.Replica()).LeaseUntil != until || r.gen.Load().Until() != until {
			t.Error("the lease became shorter")
		}
		// A restart with the clock still behind continues after the lease.
		heir := b.start(t, testConfig(), named("gw-1", "1"), c)
		if s := mint(t, heir); s.Millis() <= until {
			t.Errorf("the heir minted at %d, the lease went until %d", s.Millis(), until)
		}
	})
}

// A paused clock, and more ids than its day can hold ahead of a crash: the lease
// grows with what is used.
func TestLeaseAheadOfThePausedClockGrowsWithUse(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	b.start(t, testConfig(), named("gw-1", "1"), c)
	r := b.start(t, testConfig(), named("gw-1", "1"), c) // begins a day ahead
	gen := r.gen.Load()
	if got := gen.Until() - gen.Last(); got != spare {
		t.Fatalf("room for %d ms", got)
	}
	for range 3 * 1024 {
		mint(t, r)
	}
	must(t, r.renew(soon(t)))
	if got := gen.Until() - gen.Last(); got != spare {
		t.Errorf("room for %d ms after the renewal", got)
	}
}

func TestTakeoverWithoutDuplicateIds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		paused := b.start(t, testConfig(), named("gw-1", "1"), c)
		seen := map[id.Socket]bool{mint(t, paused): true}
		granted := paused.gen.Load().Until()
		// It is frozen; the name is started elsewhere and goes on.
		c.step(10 * time.Minute)
		heir := b.start(t, testConfig(), named("gw-1", "1"), c)
		if heir.Replica() != paused.Replica() {
			t.Fatalf("number %d, was %d", heir.Replica(), paused.Replica())
		}
		// It wakes up and knows nothing. Both mint.
		for range 5000 {
			for _, r := range []*Registry{paused, heir} {
				s := mint(t, r)
				if seen[s] {
					t.Fatalf("%v minted twice", s)
				}
				seen[s] = true
			}
		}
		for what, do := range map[string]func(context.Context) error{
			"heartbeat": paused.beat, "renewal": paused.renew, "run": paused.Run, "release": paused.Release,
			"state": func(ctx context.Context) error { return paused.SetState(ctx, StateDraining) },
		} {
			if err := do(soon(t)); !errors.Is(err, ErrTakenOver) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if paused.gen.Load().Until() != granted {
			t.Error("the former owner extended its lease")
		}
		if got := b.rowOf(t, heir.Replica()); got.Boot != heir.Boot() || got.State != StateUp || got.LeaseAfter != granted {
			t.Errorf("the former owner wrote into the row: %+v", got)
		}
		must(t, heir.beat(soon(t)))
	})
}

// The owner extends its lease between the heir's look at the row and the heir's
// claim. The heir's window must begin behind the extension.
func TestRenewalDuringAClaimIsNotOverlooked(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		owner := b.start(t, testConfig(), named("gw-1", "1"), c)
		c.step(time.Minute)
		db, err := b.handle(t).Open(soon(t))
		must(t, err)
		renewals := 0
		must(t, db.Callback().Update().Before("gorm:update").Register("test:late", func(*gorm.DB) {
			if renewals++; renewals <= 3 {
				c.step(time.Second)
				must(t, owner.renew(soon(t)))
			}
		}))
		heir := newRegistry(testConfig(), named("gw-1", "1"), func(context.Context) (*gorm.DB, error) { return db, nil }, c.now)
		_, err = heir.Register(soon(t))
		must(t, err)
		if renewals != 4 {
			t.Errorf("%d claims", renewals)
		}
		if after, until := heir.gen.Load().Last(), owner.gen.Load().Until(); after < until {
			t.Errorf("the heir mints after %d, the owner until %d", after, until)
		}
	})
}

// A renewal is committed, but its answer is lost: nothing is minted on the strength
// of it until the row has been read.
func TestLostAnswerOfARenewal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.start(t, testConfig(), named("gw-1", "1"), c)
		before := r.gen.Load().Until()
		db, err := r.db(soon(t))
		must(t, err)
		lose := true
		must(t, db.Callback().Update().After("gorm:update").Register("test:lose", func(tx *gorm.DB) {
			if lose {
				_ = tx.AddError(context.DeadlineExceeded)
			}
		}))
		c.step(time.Hour)
		if err := r.renew(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if r.gen.Load().Until() != before {
			t.Error("extended without an answer")
		}
		lose = false
		c.step(-time.Second) // wants less than the row has already
		must(t, r.renew(soon(t)))
		if got := b.rowOf(t, r.Replica()).LeaseUntil; r.gen.Load().Until() != got || got != before+3600_000 {
			t.Errorf("generator until %d, row until %d, at first %d", r.gen.Load().Until(), got, before)
		}
	})
}

func TestReleaseGivesTheRestBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.start(t, testConfig(), named("gw-1", "1"), c)
		c.step(time.Minute)
		last := mint(t, r)
		for range 2 {
			must(t, r.Release(soon(t)))
		}
		if _, err := r.gen.Load().Socket(); !errors.Is(err, id.ErrLease) {
			t.Errorf("minting after the release: %v", err)
		}
		released := b.rowOf(t, r.Replica())
		if released.LeaseUntil != last.Millis() || released.State != StateGone {
			t.Errorf("row %+v, last id at %d", released, last.Millis())
		}
		// Late writes of the released process change nothing, neither those that it
		// still sends nor those that were on their way.
		if err := changed(r.own.of(b.table(t)).Update("lease_until", last.Millis()+1000)); !errors.Is(err, errRow) {
			t.Errorf("a renewal that arrives after the release: %v", err)
		}
		must(t, r.beat(soon(t)))
		must(t, r.renew(soon(t)))
		must(t, r.SetState(soon(t), StateUp))
		if got := b.rowOf(t, r.Replica()); got.State != StateGone || got.LeaseUntil != released.LeaseUntil {
			t.Errorf("row %+v", got)
		}
		c.step(time.Second)
		heir := b.start(t, testConfig(), named("gw-1", "1"), c)
		if s := mint(t, heir); heir.Replica() != r.Replica() || s.Millis() != c.millis() {
			t.Errorf("number %d, id at %d, now is %d", heir.Replica(), s.Millis(), c.millis())
		}
	})
}

func TestLostAnswerOfARelease(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		r := b.start(t, testConfig(), named("gw-1", "1"), newClock())
		db, err := r.db(soon(t))
		must(t, err)
		lose := true
		must(t, db.Callback().Update().After("gorm:update").Register("test:lose", func(tx *gorm.DB) {
			if lose {
				_ = tx.AddError(context.DeadlineExceeded)
			}
		}))
		if err := r.Release(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		lose = false
		must(t, r.Release(soon(t)))
	})
}

// Processes of one name start, crash, freeze, wake, release and mint in any order
// while their clocks wander: no id may come twice.
func TestNoIdComesTwiceWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		b := sqliteBackend(t)
		db := b.handle(t)
		clocks := []*clock{newClock(), newClock(), newClock()}
		var alive []*Registry
		seen := map[uint64]int{}
		steps := 0
		for range 200 {
			c := clocks[rnd.IntN(len(clocks))]
			switch rnd.IntN(8) {
			case 0:
				// Sometimes two names, so that numbers change between them too.
				name := []string{"gw-1", "gw-1", "gw-1", "gw-2"}[rnd.IntN(4)]
				cfg := testConfig()
				cfg.QuarantineFor = 0
				cfg.Fixed = 5
				r := newRegistry(cfg, named(name, "1"), db.Open, c.now)
				if _, err := r.Register(soon(t)); err == nil {
					alive = append(alive, r)
				} else if taken := new(NumberTakenError); !errors.As(err, &taken) {
					t.Fatal(err)
				}
			case 1:
				c.step(time.Duration(rnd.Int64N(int64(2*time.Hour))) - time.Hour)
			case 2:
				c.step(time.Duration(rnd.Int64N(int64(time.Second))))
			case 3:
				if len(alive) > 0 {
					r := alive[rnd.IntN(len(alive))]
					if err := r.renew(soon(t)); err != nil && !errors.Is(err, ErrTakenOver) {
						t.Fatal(err)
					}
				}
			case 4:
				if len(alive) > 0 {
					r := alive[rnd.IntN(len(alive))]
					if err := r.beat(soon(t)); err != nil && !errors.Is(err, ErrTakenOver) {
						t.Fatal(err)
					}
				}
			case 5:
				if len(alive) > 0 && rnd.IntN(2) == 0 {
					r := alive[rnd.IntN(len(alive))]
					if err := r.Release(soon(t)); err != nil && !errors.Is(err, ErrTakenOver) {
						t.Fatal(err)
					}
				}
			default:
				for i, r := range alive {
					for range rnd.IntN(1500) {
						s, err := r.gen.Load().Message()
						if err != nil {
							break
						}
						if other, ok := seen[uint64(s)]; ok {
							t.Fatalf("seed %d: processes %d and %d both minted %v", seed, i, other, s)
						}
						seen[uint64(s)] = i
						steps++
					}
				}
			}
		}
		if steps == 0 || len(alive) < 3 {
			t.Errorf("seed %d: %d ids of %d processes prove nothing", seed, steps, len(alive))
		}
	}
}
