package replica

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"sluice/pkg/id"
)

// memberList is one version of the list of the living; it never changes.
type memberList struct {
	sorted   []Member // by number
	byNumber map[id.Replica]int
}

// sightings is when this process saw which heartbeat, by its own clock.
type sightings struct {
	of   map[int]sighting
	last time.Time // of the latest look at the table
}

type sighting struct {
	beat  int64
	at    time.Time
	alive bool
}

// Members returns the living processes of all services, this one included, by
// number. While the database is away it is the last list known. The slice is shared
// and must not be changed; a new one is made whenever something changes.
func (r *Registry) Members() []Member { return r.members.Load().sorted }

// Lookup returns the living process that has a number. Compare the boot id before
// speaking to it of something from the past: it may be a successor.
func (r *Registry) Lookup(n id.Replica) (Member, bool) {
	list := r.members.Load()
	i, ok := list.byNumber[n]
	if !ok {
		return Member{}, false
	}
	return list.sorted[i], true
}

// refresh reads the table anew. Rows whose heartbeat is older than any lease are
// left out: their processes are dead, and there can be thousands of them.
func (r *Registry) refresh(ctx context.Context) error {
	if err := r.takeTurn(ctx); err != nil {
		return err
	}
	defer r.endTurn()
	var rows []row
	err := r.call(ctx, "members", func(db *gorm.DB) error {
		oldest := r.now().Add(-r.cfg.LeaseFor - time.Hour).UnixMilli()
		err := db.Where("state <> ? AND heartbeat_at > ?", StateGone, oldest).Order("id").Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.observe(rows)
	return nil
}

// observe makes the list of the living from rows. The caller has the turn.
func (r *Registry) observe(rows []row) {
	now := r.now()
	list := &memberList{byNumber: make(map[id.Replica]int)}
	count := map[State]int{StateUp: 0, StateDraining: 0}
	for number, s := range r.sightings.look(rows, now, r.cfg.DeadAfter) {
		if s.alive {
			m := rows[number].member()
			list.byNumber[m.Replica] = len(list.sorted)
			list.sorted = append(list.sorted, m)
			count[m.State]++
		}
	}
	r.members.Store(list)
	for s, n := range count {
		r.metrics.members.WithLabelValues(string(s)).Set(float64(n))
	}
}

// look compares rows with what was seen before, and yields the sighting of each row
// by its index, in order.
func (s *sightings) look(rows []row, now time.Time, deadAfter time.Duration) func(yield func(int, sighting) bool) {
	// When this process could not look for a while, silence in that while proves
	// nothing: everybody gets his time anew.
	blind := !s.last.IsZero() && now.Sub(s.last) > deadAfter/2
	next := make(map[int]sighting, len(rows))
	for _, row := range rows {
		if row.State == StateGone {
			continue
		}
		seen, known := s.of[row.ID]
		switch {
		case !known:
			// The only comparison of two machines' clocks. Whoever is wrongly taken
			// for dead by it is believed at his next heartbeat.
			age := time.Duration(now.UnixMilli()-row.HeartbeatAt) * time.Millisecond
			seen = sighting{at: now.Add(-age)} // keeps the monotonic reading
		case seen.beat != row.HeartbeatAt, blind && seen.alive, now.Before(seen.at):
			seen.at = now
		}
		seen.beat = row.HeartbeatAt
		seen.alive = now.Sub(seen.at) < deadAfter
		next[row.ID] = seen
	}
	s.of, s.last = next, now
	return func(yield func(int, sighting) bool) {
		for i, row := range rows {
			if seen, ok := next[row.ID]; ok && !yield(i, seen) {
				return
			}
		}
	}
}

// replaceRow returns rows with mine in the place of the row of that number.
func replaceRow(rows []row, mine row) []row {
	byNumber := make(map[int]row, len(rows)+1)
	for _, row := range rows {
		byNumber[row.ID] = row
	}
	byNumber[mine.ID] = mine
	return slices.SortedFunc(maps.Values(byNumber), func(a, b row) int { return a.ID - b.ID })
}
