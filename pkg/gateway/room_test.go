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
	check := func(kind id.Kind) func(*room) {
		return func(r *room) {
			target := id.Target{Kind: kind, Name: r.name}
			if r.size() == 0 || s.roomLocked(target) != r {
				t.Fatalf("room %v is empty or lost", target)
			}
			for pos := range r.size() {
				c := r.at(pos)
				slot := c.rooms.slotOf(r)
				if slot < 0 || int(c.rooms.at(slot).pos) != pos || kindOf(slot) != kind {
					t.Fatalf("room %v, member %d: way back leads elsewhere", target, pos)
				}
				if !want[c][target] {
					t.Fatalf("room %v has a member too many", target)
				}
				members++
			}
		}
	}
	s.users.each(check(id.KindUser))
	s.docs.each(check(id.KindDoc))
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
			if user := id.UserTarget(id.User(fmt.Sprintf("d%d", rnd.IntN(3)))); rnd.IntN(4) > 0 { // named as the documents are
				s.joinLocked(c, user)
				want[c][user] = true
			}
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
	if c := cap(*s.roomLocked(target).list); c > 1000 {
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
	c.id, c.shard = 7, s
	c.who.token, c.member, c.main = 9, true, true
	c.inbox().stray = 1
	c.mark.Store(5)
	c.addSpaceLocked("/a")
	s.joinLocked(c, id.DocTarget("d"))
	c.seenLocked(3)
	before := c.ref()
	s.leaveAllLocked(c)
	PutConn(c)
	gen := c.gen.Load()
	c.gen.Store(0)
	if *c != (Connection{}) {
		t.Errorf("kept something: %+v", c.who)
	}
	c.gen.Store(gen)
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
	if n := cap(c.out.recent.mids); n > 16 {
		t.Errorf("remembers %d", n)
	}
}
