package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
)

// checkRooms verifies that every way from a connection to a room leads back.
func checkRooms(t *testing.T, s *shard, want map[*Connection]map[id.Target]bool) {
	t.Helper()
	members := 0
	for target, r := range s.rooms {
		if len(r.members) == 0 {
			t.Fatalf("room %v is empty", target)
		}
		for pos, m := range r.members {
			back := m.conn.rooms[m.slot]
			if back.room != r || int(back.pos) != pos {
				t.Fatalf("room %v, member %d: way back leads elsewhere", target, pos)
			}
			if !want[m.conn][target] {
				t.Fatalf("room %v has a member too many", target)
			}
			members++
		}
	}
	total := 0
	for _, targets := range want {
		total += len(targets)
	}
	if members != total {
		t.Fatalf("%d memberships, want %d", members, total)
	}
}

func TestRoomsStayConsistentUnderRandomJoinsAndLeaves(t *testing.T) {
	s := newShard(1, NewMetrics(prometheus.NewRegistry()))
	rnd := rand.New(rand.NewPCG(1, 2))
	conns := make([]*Connection, 20)
	want := map[*Connection]map[id.Target]bool{}
	for i := range conns {
		conns[i] = &Connection{id: id.Socket(i + 1), shard: s}
		want[conns[i]] = map[id.Target]bool{}
	}
	for range 20_000 {
		c := conns[rnd.IntN(len(conns))]
		target := id.DocTarget(id.Doc(fmt.Sprintf("d%d", rnd.IntN(8))))
		switch rnd.IntN(20) {
		case 0:
			s.leaveAllLocked(c)
			want[c] = map[id.Target]bool{}
		case 1, 2, 3, 4, 5, 6, 7, 8, 9:
			if got := s.leaveLocked(c, target); got != want[c][target] {
				t.Fatalf("leave reports %v", got)
			}
			delete(want[c], target)
		default:
			if got := s.joinLocked(c, target); got == want[c][target] {
				t.Fatalf("join reports %v", got)
			}
			want[c][target] = true
		}
		checkRooms(t, s, want)
	}
}

func TestALargeRoomGivesItsMemoryBack(t *testing.T) {
	s := newShard(1, NewMetrics(prometheus.NewRegistry()))
	target := id.DocTarget("hot")
	conns := make([]*Connection, 10_000)
	for i := range conns {
		conns[i] = &Connection{id: id.Socket(i + 1), shard: s}
		s.joinLocked(conns[i], target)
	}
	for _, c := range conns[100:] {
		s.leaveAllLocked(c)
	}
	if c := cap(s.rooms[target].members); c > 1000 {
		t.Errorf("100 members hold room for %d", c)
	}
}

func TestANamespaceIsJoinedOnce(t *testing.T) {
	c := &Connection{}
	for _, ns := range []string{"/", "/a", "/b"} {
		if !c.addSpaceLocked(ns) || c.addSpaceLocked(ns) {
			t.Errorf("%s: not joined exactly once", ns)
		}
	}
	if !c.dropSpaceLocked("/a") || c.dropSpaceLocked("/a") || c.inSpaceLocked("/a") || !c.inSpaceLocked("/b") {
		t.Error("leaving /a went wrong")
	}
	if got := fmt.Sprint(c.spacesLocked()); got != "[/ /b]" {
		t.Errorf("left are %s", got)
	}
}

func TestAPooledConnectionRemembersNothing(t *testing.T) {
	s := newShard(1, NewMetrics(prometheus.NewRegistry()))
	c := GetConn()
	c.id, c.shard, c.since = 7, s, c.since.Add(1)
	c.identity.User, c.member, c.main = "u", true, true
	c.addSpaceLocked("/a")
	s.joinLocked(c, id.DocTarget("d"))
	c.seenLocked(3)
	before := c.ref()
	s.leaveAllLocked(c)
	PutConn(c)
	if c.id != 0 || c.identity.User != "" || c.member || c.main || len(c.spaces) != 0 || len(c.rooms) != 0 || c.recent != nil {
		t.Errorf("kept something: %+v", c.identity)
	}
	if c.gen.Load() == before.gen {
		t.Error("a stale reference would not notice")
	}
	if err := before.send(nil); err == nil {
		t.Error("a stale reference still sends")
	}
}

func TestAPushWithSeveralTargetsIsSeenOnce(t *testing.T) {
	c := &Connection{}
	for mid := range id.Message(40) {
		if c.seenLocked(mid) || !c.seenLocked(mid) {
			t.Fatalf("mid %d is not seen exactly once", mid)
		}
	}
	if len(c.recent) > 16 {
		t.Errorf("remembers %d", len(c.recent))
	}
}
