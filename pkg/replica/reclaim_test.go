package replica

import (
	"errors"
	"testing"
	"time"

	"sluice/pkg/id"
)

func TestLostTableIsHealedByTheRunning(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.start(t, testConfig(), named("gw-1", "1"), c)
		must(t, r.SetState(soon(t), StateDraining))
		c.step(-time.Hour)
		must(t, b.table(t).Where("1 = 1").Delete(&row{}).Error)
		must(t, r.beat(soon(t)))
		got := b.rowOf(t, r.Replica())
		if got.Boot != r.Boot() || got.State != StateDraining || got.LeaseUntil < r.gen.Load().Until() {
			t.Errorf("row %+v, generator until %d", got, r.gen.Load().Until())
		}
		must(t, r.beat(soon(t)))
		mint(t, r)
		// Whoever comes now is granted what is free.
		if heir := b.start(t, testConfig(), named("gw-1", "1"), c); heir.gen.Load().Last() < r.gen.Load().Until() {
			t.Error("the windows overlap")
		}
	})
}

func TestRestoredBackupIsHealedByTheRunning(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		b.start(t, testConfig(), named("gw-1", "1"), c)
		backup := b.rowOf(t, b.start(t, testConfig(), named("gw-1", "1"), c).Replica())
		c.step(time.Hour)
		r := b.start(t, testConfig(), named("gw-1", "1"), c)
		c.step(time.Hour)
		must(t, b.table(t).Model(&row{}).Where("id = ?", backup.ID).Select("*").Omit("id").Updates(&backup).Error)
		must(t, r.beat(soon(t)))
		if got := b.rowOf(t, r.Replica()); got.Boot != r.Boot() || got.LeaseUntil < r.gen.Load().Until() {
			t.Errorf("row %+v, generator until %d", got, r.gen.Load().Until())
		}
	})
}

// The table was lost and the number has gone to somebody who was told that it was
// never used. To repeat no id, the former owner must stop at once.
func TestNumberLostWithTheTableEndsTheGenerator(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		c := newClock()
		r := b.start(t, fixed(3), named("gw-1", "1"), c)
		must(t, b.table(t).Where("1 = 1").Delete(&row{}).Error)
		b.start(t, fixed(3), named("gw-2", "1"), c)
		if err := r.beat(soon(t)); !errors.Is(err, ErrTakenOver) {
			t.Errorf("err = %v", err)
		}
		if _, err := r.gen.Load().Socket(); !errors.Is(err, id.ErrLease) {
			t.Errorf("it mints on: %v", err)
		}
	})
}

func TestReleaseAfterTheTableWasLost(t *testing.T) {
	b := sqliteBackend(t)
	r := b.start(t, testConfig(), named("gw-1", "1"), newClock())
	last := mint(t, r)
	must(t, b.table(t).Where("1 = 1").Delete(&row{}).Error)
	must(t, r.Release(soon(t)))
	if got := b.rowOf(t, r.Replica()); got.State != StateGone || got.LeaseUntil != last.Millis() {
		t.Errorf("row %+v", got)
	}
}
