package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/pkg/id"
)

// plan is how a starter gets a number: by adopting the row that it already owns, by
// claiming an existing row, or by inserting one.
type plan struct {
	number int
	from   *row // the row to claim or adopt, nil to insert
	adopt  bool // the row is ours: an earlier claim succeeded and its answer was lost
	vacate *row // the row that the name had before a number was fixed
}

// first is how many of the best candidates the first attempt chooses among. Starters
// that come together would all want the lowest number otherwise; each failure shows
// that somebody got one, and doubles the choice.
const first = 16

// choose makes the plan. It is a pure function of what was read.
func (c *Config) choose(rows []row, ident Identity, now time.Time, attempt int) (plan, error) {
	var heir, wanted *row
	used := make(map[int]bool, len(rows))
	for i := range rows {
		used[rows[i].ID] = true
		if rows[i].named(ident) {
			heir = &rows[i]
		}
		if rows[i].ID == c.Fixed {
			wanted = &rows[i]
		}
	}
	switch {
	case heir != nil && (c.Fixed < 0 || heir == wanted):
		return plan{number: heir.ID, from: heir, adopt: heir.Boot == ident.Boot && heir.State != StateGone}, nil
	case c.Fixed >= 0:
		if wanted != nil && c.living(*wanted, now) {
			return plan{}, &NumberTakenError{
				Replica: id.Replica(wanted.ID), Holder: wanted.identity(), HeartbeatAt: time.UnixMilli(wanted.HeartbeatAt),
			}
		}
		return plan{number: c.Fixed, from: wanted, vacate: heir}, nil
	}
	choice := first << min(attempt, 8)
	if unused := lowestUnused(used, choice); len(unused) > 0 {
		return plan{number: unused[rand.IntN(len(unused))]}, nil
	}
	return c.recycle(rows, now, choice)
}

func lowestUnused(used map[int]bool, limit int) []int {
	var unused []int
	for n := 0; n <= int(id.MaxReplica) && len(unused) < limit; n++ {
		if !used[n] {
			unused = append(unused, n)
		}
	}
	return unused
}

// recycle chooses among the numbers that have rested longest.
func (c *Config) recycle(rows []row, now time.Time, choice int) (plan, error) {
	sorted := slices.SortedFunc(slices.Values(rows), func(a, b row) int { return c.freeAt(a).Compare(c.freeAt(b)) })
	free, _ := slices.BinarySearchFunc(sorted, now, func(r row, now time.Time) int {
		if c.freeAt(r).After(now) {
			return 1
		}
		return -1
	})
	if free == 0 {
		return plan{}, fmt.Errorf("%w: %d are in use or in quarantine, the next one until %s",
			ErrExhausted, len(rows), c.freeAt(sorted[0]).UTC().Format(time.RFC3339))
	}
	chosen := sorted[rand.IntN(min(free, choice))]
	return plan{number: chosen.ID, from: &chosen}, nil
}

// freeAt is when a number may go to another name: a rest after both the right to
// mint and the last sign of life.
func (c *Config) freeAt(r row) time.Time {
	end := id.Time(r.LeaseUntil)
	if beat := time.UnixMilli(r.HeartbeatAt); beat.After(end) {
		end = beat
	}
	return end.Add(c.QuarantineFor)
}

// living tells by this machine's clock whether a row's process is alive.
func (c *Config) living(r row, now time.Time) bool {
	return r.State != StateGone && now.Sub(time.UnixMilli(r.HeartbeatAt)) < c.DeadAfter
}
