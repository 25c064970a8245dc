package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"sluice/pkg/id"
)

// patiently registers as a program does: it tries again until it succeeds.
func patiently(ctx context.Context, r *Registry) error {
	for {
		_, err := r.Register(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// together starts one process for each identity at the same moment.
func together(t *testing.T, b backend, c *clock, identities []Identity) []*Registry {
	t.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	registries := make([]*Registry, len(identities))
	for i, ident := range identities {
		registries[i] = newRegistry(testConfig(), ident, b.handle(t).Open, c.now)
		wg.Go(func() {
			<-begin
			if err := patiently(soon(t), registries[i]); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return registries
}

func TestSixtyFourStartersGetDistinctNumbersAndInheritThem(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		const starters = 64
		c := newClock()
		crowd := func() (is []Identity) {
			for n := range starters {
				i := named(fmt.Sprint("gw-", n/2), "1.0.0")
				if n%2 == 1 {
					i.Service = "ws-api" // shares the numbers, not the names
				}
				is = append(is, i)
			}
			return is
		}
		first := together(t, b, c, crowd())
		numbers := map[id.Replica]int{}
		for i, r := range first {
			if other, ok := numbers[r.Replica()]; ok {
				t.Errorf("starters %d and %d both have number %d", i, other, r.Replica())
			}
			numbers[r.Replica()] = i
		}
		// All are restarted at once, after a crash.
		c.step(time.Minute)
		for i, r := range together(t, b, c, crowd()) {
			if r.Replica() != first[i].Replica() {
				t.Errorf("starter %d had number %d and got %d", i, first[i].Replica(), r.Replica())
			}
			if old, heir := first[i].gen.Load(), r.gen.Load(); heir.Last() < old.Until() {
				t.Errorf("starter %d mints after %d, its forerunner until %d", i, heir.Last(), old.Until())
			}
		}
	})
}

// One name started many times at once, by mistake: one number, one window each.
func TestSameNameAtOnceSharesNoIdTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		var is []Identity
		for range 16 {
			is = append(is, named("twin", "1.0.0"))
		}
		seen := map[id.Socket]bool{}
		last := 0
		for _, r := range together(t, b, newClock(), is) {
			for range 100 {
				s := mint(t, r)
				if seen[s] {
					t.Fatalf("%v minted twice", s)
				}
				seen[s] = true
			}
			if err := r.beat(soon(t)); err == nil {
				last++
			} else if !errors.Is(err, ErrTakenOver) {
				t.Error(err)
			}
		}
		if last != 1 {
			t.Errorf("%d processes believe in the number", last)
		}
		var rows int64
		must(t, b.table(t).Model(&row{}).Count(&rows).Error)
		if rows != 1 {
			t.Errorf("%d rows for one name", rows)
		}
	})
}

func TestNewVersionGetsANewNumberAndTheOldOneItsOwnBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		old := b.start(t, testConfig(), named("gw-1", "1.0.0"), c)
		update := b.start(t, testConfig(), named("gw-1", "1.1.0"), c)
		if old.Replica() == update.Replica() {
			t.Errorf("both versions have number %d", old.Replica())
		}
		must(t, old.beat(soon(t))) // nobody disturbed it
		back := b.start(t, testConfig(), named("gw-1", "1.0.0"), c)
		if back.Replica() != old.Replica() {
			t.Errorf("rolled back to number %d, had %d", back.Replica(), old.Replica())
		}
		other := named("gw-1", "1.0.0")
		other.Service = "ws-api"
		if r := b.start(t, testConfig(), other, c); r.Replica() == back.Replica() {
			t.Error("another service inherited the number")
		}
		// Names that differ in case or in trailing characters are different.
		if r := b.start(t, testConfig(), named("GW-1", "1.0.0"), c); r.Replica() == back.Replica() {
			t.Error("a name in upper case inherited the number")
		}
	})
}

func TestRegisterAgainReturnsTheSameGenerator(t *testing.T) {
	b := sqliteBackend(t)
	r := b.start(t, testConfig(), named("gw-1", "1"), newClock())
	again, err := r.Register(soon(t))
	if err != nil || again != r.gen.Load() {
		t.Errorf("%v, %v", again, err)
	}
}

func TestReleasedNumberRestsBeforeOthersGetIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		const leaving = 77
		cfg, c := testConfig(), newClock()
		b.fill(t, func(n int) row {
			r := row{
				Service: "x", Version: "1", Boot: "b", Epoch: 1, State: StateUp,
				LeaseUntil: c.millis() + 1000*3600_000, HeartbeatAt: c.now().UnixMilli(),
			}
			if n == leaving {
				name := "gw-1"
				r.Service, r.Name, r.LeaseUntil = "ws-gateway", &name, c.millis()-1
			}
			return r
		})
		r := b.start(t, cfg, named("gw-1", "1"), c)
		if r.Replica() != leaving {
			t.Fatalf("number %d", r.Replica())
		}
		c.step(time.Hour)
		last := mint(t, r).Millis()
		c.step(time.Minute)
		must(t, r.Release(soon(t)))

		newcomer := newRegistry(cfg, named("gw-2", "1"), b.handle(t).Open, c.now)
		c.step(cfg.QuarantineFor - time.Millisecond)
		if _, err := newcomer.Register(soon(t)); !errors.Is(err, ErrExhausted) {
			t.Fatalf("during quarantine: %v", err)
		}
		c.step(time.Millisecond)
		gen, err := newcomer.Register(soon(t))
		must(t, err)
		if newcomer.Replica() != leaving || gen.Last() != last {
			t.Errorf("number %d after %d, want %d after %d", newcomer.Replica(), gen.Last(), leaving, last)
		}
		// The name that had it gets another one, when there is one.
		if _, err := newRegistry(cfg, named("gw-1", "1"), b.handle(t).Open, c.now).Register(soon(t)); !errors.Is(err, ErrExhausted) {
			t.Errorf("the former name: %v", err)
		}
	})
}

func TestDatabaseAwayAtRegisterIsAnErrorAndLaterSucceeds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		away := errors.New("connection refused")
		var up bool
		db := b.handle(t)
		r := newRegistry(testConfig(), named("gw-1", "1"), func(ctx context.Context) (*gorm.DB, error) {
			if !up {
				return nil, away
			}
			return db.Open(ctx)
		}, newClock().now)
		for range 3 {
			if _, err := r.Register(soon(t)); !errors.Is(err, away) || !strings.Contains(err.Error(), "reach the database") {
				t.Fatalf("err = %v", err)
			}
		}
		if err := r.Run(soon(t)); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("Run: %v", err)
		}
		if err := r.Release(soon(t)); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("Release: %v", err)
		}
		if err := r.SetState(soon(t), StateDraining); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("SetState: %v", err)
		}
		up = true
		_, err := r.Register(soon(t))
		must(t, err)
		mint(t, r)
	})
}

// The claim is committed, but its answer is lost. The next attempt must find what it
// has, not take a second number, and not count its own window as somebody else's.
func TestLostAnswerOfAClaimIsFound(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		for _, inherited := range []bool{false, true} {
			db, err := b.handle(t).Open(soon(t))
			must(t, err)
			lose := true
			loser := func(tx *gorm.DB) {
				if lose {
					_ = tx.AddError(context.DeadlineExceeded)
				}
			}
			must(t, db.Callback().Create().After("gorm:create").Register("test:lose", loser))
			must(t, db.Callback().Update().After("gorm:update").Register("test:lose", loser))
			r := newRegistry(testConfig(), named("gw-1", "1"), func(context.Context) (*gorm.DB, error) { return db, nil }, c.now)
			if _, err := r.Register(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("inherited %v: %v", inherited, err)
			}
			lose = false
			_, err = r.Register(soon(t))
			must(t, err)
			written := b.rowOf(t, r.Replica())
			if written.Boot != r.Boot() || written.Epoch != r.own.epoch {
				t.Errorf("row %+v, own %+v", written, r.own)
			}
			if gen := r.gen.Load(); gen.Last() != written.LeaseAfter || gen.Until() != written.LeaseUntil {
				t.Errorf("window (%d, %d], row (%d, %d]", gen.Last(), gen.Until(), written.LeaseAfter, written.LeaseUntil)
			}
			if want := int64(1); !inherited && written.Epoch != want {
				t.Errorf("epoch %d", written.Epoch)
			}
			var rows int64
			must(t, b.table(t).Model(&row{}).Count(&rows).Error)
			if rows != 1 {
				t.Errorf("%d rows", rows)
			}
		}
	})
}

func TestHopelessIdentitiesAndClocksAreRefused(t *testing.T) {
	b := sqliteBackend(t)
	for name, spoil := range map[string]func(*Identity){
		"no service":     func(i *Identity) { i.Service = "" },
		"no name":        func(i *Identity) { i.Name = "" },
		"no version":     func(i *Identity) { i.Version = "" },
		"no address":     func(i *Identity) { i.Address = "" },
		"no boot":        func(i *Identity) { i.Boot = "" },
		"long name":      func(i *Identity) { i.Name = strings.Repeat("x", 129) },
		"trailing space": func(i *Identity) { i.Name = "gw-1 " },
		"control":        func(i *Identity) { i.Version = "1\x00" },
		"not utf-8":      func(i *Identity) { i.Name = "\xff" },
	} {
		i := named("gw-1", "1")
		spoil(&i)
		if _, err := newRegistry(testConfig(), i, b.handle(t).Open, newClock().now).Register(soon(t)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	early := func() time.Time { return time.Date(1970, 1, 1, 0, 0, 5, 0, time.UTC) }
	if _, err := newRegistry(testConfig(), named("gw-1", "1"), b.handle(t).Open, early).Register(soon(t)); !errors.Is(err, ErrClock) {
		t.Errorf("a clock in 1970: %v", err)
	}
}
