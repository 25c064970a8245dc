package stream

import (
	"fmt"
	"testing"

	"github.com/alicebob/miniredis/v2/server"

	"sluice/pkg/redistest"
)

// restart makes Redis look as if it had been restarted: the run id that is
// recorded is no longer its own.
func (p *place) restart(s *Stream) {
	p.T.Helper()
	for n := range s.shards {
		if err := p.Client().HSet(ctxT(p.T), s.shards[n].keys.state, "r", "another").Err(); err != nil {
			p.T.Fatal(err)
		}
	}
}

func TestRestartedRedisBeginsAnEpochBeforeAnyPush(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		before := put(t, s, doc("a"), mid(1), "")
		p.restart(s)
		after := put(t, s, doc("a"), mid(2), "")
		if after.Epoch <= before.Seq || after.Seq != after.Epoch+1 {
			t.Fatalf("%d/%d after %d/%d", after.Epoch, after.Seq, before.Epoch, before.Seq)
		}
		if e := put(t, s, doc("a"), mid(3), ""); e.Epoch != after.Epoch || e.Seq != after.Seq+1 {
			t.Fatalf("the epoch does not last: %+v after %+v", e, after)
		}
		p.restart(s)
		results := s.AppendMany(ctxT(t), []Item{{Target: doc("a"), Mid: mid(4)}, {Target: doc("a"), Mid: mid(5)}})
		for i, r := range results {
			if r.Err != nil || r.Entry.Epoch <= after.Epoch || r.Entry.Seq != r.Entry.Epoch+uint64(i)+1 {
				t.Fatalf("item %d: %+v", i, r)
			}
		}
		// The mids of the former epoch are known still.
		e, dup, err := s.Append(ctxT(t), doc("a"), mid(1), nil)
		if err != nil || !dup || e.Epoch != 0 || e.Seq != before.Seq {
			t.Fatalf("again: %+v %v %v", e, dup, err)
		}
	})
}

func TestRunIDIsReadFromTheServer(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	run := "0123456789abcdef"
	p.Mini.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		if cmd != "INFO" || len(args) != 1 || args[0] != "server" {
			return false
		}
		c.WriteBulk("# Server\r\nredis_version:7.0.15\r\nrun_id:" + run + "\r\ntcp_port:6379\r\n")
		return true
	})
	s := p.stream()
	first := put(t, s, doc("a"), mid(1), "")
	if same := put(t, s, doc("a"), mid(2), ""); same.Epoch != first.Epoch {
		t.Fatalf("epoch %d, then %d", first.Epoch, same.Epoch)
	}
	run = "fedcba9876543210"
	if other := put(t, s, doc("a"), mid(3), ""); other.Epoch <= first.Seq {
		t.Fatalf("epoch %d after a restart, before %d", other.Epoch, first.Epoch)
	}
	run = "0000000000000000"
	if _, err := s.Read(ctxT(t), doc("a"), first.Epoch, first.Seq); err != ErrEpoch {
		t.Fatalf("read: %v", err)
	}
}

func TestRolledBackSequenceBeginsAnEpoch(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		one := func(c *Config) { c.Shards = 1 }
		s := p.stream(one)
		got := follow(t, s)
		var last Entry
		for i := 1; i <= 5; i++ {
			last = put(t, p.stream(one), doc("a"), mid(i), "")
		}
		got.wait(t, 5)
		// An older state, in a server with the same run id. The follower finds
		// out, although nobody appends.
		if err := p.Client().HSet(ctxT(t), s.shards[0].keys.state, "q", fmt.Sprint(last.Seq-3)).Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the gap is told", func() bool { return len(got.holes()) == 1 })
		g := got.holes()[0]
		if g.Gap.Reason != GapEpoch || g.Epoch != last.Epoch || g.Gap.From != last.Seq+1 || g.Gap.To < g.Gap.From {
			t.Fatalf("gap: %+v of epoch %d", *g.Gap, g.Epoch)
		}
		e := put(t, p.stream(one), doc("a"), mid(9), "")
		if e.Seq <= last.Seq || e.Epoch == last.Epoch {
			t.Fatalf("%+v after %+v", e, last)
		}
		got.wait(t, 6)
	})
}

func TestEmptiedRedisIsToldAndGoesOnAbove(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		got := follow(t, s)
		before := put(t, p.stream(), doc("a"), mid(1), "")
		got.wait(t, 1)
		p.wipe()
		// A process that knows nothing of what was before appends.
		after := put(t, p.stream(), doc("a"), mid(2), "after")
		if after.Epoch <= before.Seq {
			t.Fatalf("epoch %d after the sequence %d", after.Epoch, before.Seq)
		}
		got.wait(t, 2)
		if e := got.all()[1]; e.Mid != mid(2) || e.Epoch != after.Epoch || e.Seq != after.Seq {
			t.Fatalf("received %+v, want %+v", e, after)
		}
		holes := got.holes()
		if len(holes) == 0 || holes[0].Shard != before.Shard && len(holes) < 2 {
			t.Fatalf("gaps: %+v", holes)
		}
		eventually(t, "every shard tells its gap", func() bool { return len(got.holes()) == s.Shards() })
	})
}

func TestClockThatSteppedBackCannotLowerTheSequence(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	s := p.stream()
	before := put(t, s, doc("a"), mid(1), "")
	keys := &s.shards[before.Shard].keys
	p.Mini.SetTime(msTime(int64(before.Epoch/1000) - 3_600_000))
	// The state is gone, the stream is not.
	if err := p.Client().Del(ctxT(t), keys.state).Err(); err != nil {
		t.Fatal(err)
	}
	if after := put(t, s, doc("a"), mid(2), ""); after.Epoch <= before.Seq {
		t.Fatalf("%+v after %+v", after, before)
	}
	if err := p.Client().Del(ctxT(t), keys.state).Err(); err != nil {
		t.Fatal(err)
	}
	forgetful := p.stream()
	e := put(t, forgetful, doc("a"), mid(3), "3")
	h := must[History](t)(forgetful.Read(ctxT(t), doc("a"), e.Epoch, e.Epoch))
	if len(h.Entries) != 1 || string(h.Entries[0].Body) != "3" {
		t.Fatalf("history: %+v", h)
	}
}
