package replica

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"sluice/pkg/id"
)

// What another attempt heals is no error of the database.
func TestRacesAreTold(t *testing.T) {
	for _, err := range []error{errRow, gorm.ErrDuplicatedKey, &mysql.MySQLError{Number: 1213}, &mysql.MySQLError{Number: 1205}} {
		if !raced(fmt.Errorf("claim: %w", err)) {
			t.Errorf("%v is taken for an error", err)
		}
	}
	for _, err := range []error{nil, gorm.ErrInvalidDB, &mysql.MySQLError{Number: 1146}, ErrExhausted} {
		if raced(err) {
			t.Errorf("%v is taken for a race", err)
		}
	}
}

// fullTable is a table in which number n is free from n minutes after the clock on.
func fullTable(cfg Config, c *clock) []row {
	var rows []row
	for n := range int(id.MaxReplica) + 1 {
		free := c.now().Add(time.Duration(n) * time.Minute)
		rows = append(rows, row{ID: n, LeaseUntil: id.Millis(free.Add(-cfg.QuarantineFor)), State: StateGone, Epoch: 7})
	}
	return rows
}

func TestUnusedNumbersComeFirstAndFromBelow(t *testing.T) {
	cfg, c := testConfig(), newClock()
	rows := fullTable(cfg, c)
	c.step(1000 * time.Hour) // all of them could be recycled
	rows = append(rows[:10], rows[4000:]...)
	for range 200 {
		p, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0)
		if err != nil || p.from != nil || p.number < 10 || p.number >= 10+first {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	// The choice grows with the number of lost races.
	far := false
	for range 200 {
		p, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 5)
		if err != nil || p.number >= 10+first<<5 {
			t.Fatalf("%+v, %v", p, err)
		}
		far = far || p.number >= 10+first
	}
	if !far {
		t.Error("starters that lost races choose among the same numbers")
	}
}

func TestLongestRestedNumbersAreRecycledFirst(t *testing.T) {
	cfg, c := testConfig(), newClock()
	rows := fullTable(cfg, c)
	if p, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0); err != nil || p.number != 0 || p.from.Epoch != 7 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := cfg.choose(rows, named("gw-1", "1"), c.now().Add(-1), 0); !errors.Is(err, ErrExhausted) {
		t.Errorf("err = %v", err)
	}
	c.step(100 * time.Minute)
	for range 200 {
		p, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0)
		if err != nil || p.number >= first {
			t.Fatalf("%+v, %v", p, err)
		}
	}
}

func TestCrashedNumberRestsUntilItsLeaseHasEnded(t *testing.T) {
	cfg, c := testConfig(), newClock()
	rows := fullTable(cfg, c)
	for i := range rows {
		rows[i].State, rows[i].HeartbeatAt = StateUp, c.now().UnixMilli()
		rows[i].LeaseUntil = c.millis() + 1000*3600_000
	}
	rows[4000].LeaseUntil = c.millis() + 24*3600_000
	c.step(24*time.Hour + cfg.QuarantineFor - time.Millisecond)
	_, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0)
	if !errors.Is(err, ErrExhausted) || !strings.Contains(err.Error(), "2026-05-02T13:00:00Z") {
		t.Errorf("during quarantine: %v", err)
	}
	c.step(time.Millisecond)
	if p, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0); err != nil || p.number != 4000 {
		t.Errorf("%+v, %v", p, err)
	}
}

// A process that could not extend its lease but still writes heartbeats is alive.
func TestHeartbeatKeepsANumberFromUse(t *testing.T) {
	cfg, c := testConfig(), newClock()
	rows := fullTable(cfg, c)
	for i := range rows {
		rows[i].LeaseUntil, rows[i].HeartbeatAt = 0, c.now().UnixMilli()
	}
	c.step(cfg.QuarantineFor - time.Millisecond)
	if _, err := cfg.choose(rows, named("gw-1", "1"), c.now(), 0); !errors.Is(err, ErrExhausted) {
		t.Errorf("err = %v", err)
	}
}
