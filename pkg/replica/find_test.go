package replica

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
)

// searches has r look for those who are missed, until the test ends.
func searches(t *testing.T, r *Registry) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.lookFor(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func TestWhoHasJustStartedIsFound(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		one := b.start(t, testConfig(), named("one", "1"), c)
		searches(t, one)
		for _, name := range []string{"two", "three"} { // the second one while it pauses
			late := b.start(t, testConfig(), named(name, "1"), c)
			if _, ok := one.Lookup(late.Replica()); ok {
				t.Fatal("it is known already")
			}
			if m, ok := one.Find(soon(t), late.Replica()); !ok || m.Boot != late.Boot() {
				t.Errorf("found %+v, %v", m, ok)
			}
		}
	})
}

func TestManyWhoSearchShareALook(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	db := b.handle(t)
	var looks atomic.Int64
	r := New(testConfig(), named("one", "1"), func(ctx context.Context) (*gorm.DB, error) {
		looks.Add(1)
		return db.Open(ctx)
	}, quiet(), NewMetrics(prometheus.NewRegistry()), c.now)
	_, err := r.Register(soon(t))
	must(t, err)
	looks.Store(0)
	searches(t, r)
	begun := time.Now()
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if m, ok := r.Find(soon(t), 4000); ok {
				t.Errorf("found %+v", m)
			}
		})
	}
	all.Wait()
	// One may have begun before the others asked.
	if n, most := looks.Load(), int64(2+time.Since(begun)/lookAgain); n == 0 || n > most {
		t.Errorf("%d looks at the table, want at most %d", n, most)
	}

	// Whoever asks again for the same one, without a pause, makes no more of them.
	looks.Store(0)
	begun = time.Now()
	for range 100_000 {
		r.Find(t.Context(), 4000)
	}
	if n, most := looks.Load(), int64(1+time.Since(begun)/missedFor); n > most {
		t.Errorf("%d looks at the table for one number, want at most %d", n, most)
	}
}

// Who does not wait has the table read all the same.
func TestASearchEndsWithItsContext(t *testing.T) {
	b, c := sqliteBackend(t), newClock()
	one := b.start(t, testConfig(), named("one", "1"), c)
	two := b.start(t, testConfig(), named("two", "1"), c)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, ok := one.Find(ended, two.Replica()); ok {
		t.Error("found before anybody looked")
	}
	searches(t, one)
	eventually(t, "the other one", func() bool { _, ok := one.Lookup(two.Replica()); return ok })
}

// A search ends without Run, too.
func TestASearchEndsByItself(t *testing.T) {
	one := sqliteBackend(t).start(t, testConfig(), named("one", "1"), newClock())
	if _, ok := one.Find(t.Context(), 4000); ok {
		t.Error("found")
	}
}
