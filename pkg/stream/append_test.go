package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func TestAppendHappensOncePerTargetAndMid(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		a := put(t, s, doc("a"), mid(1), "one")
		b := put(t, s, doc("b"), mid(1), "one")
		if a.Epoch == 0 || a.Seq <= a.Epoch {
			t.Fatalf("epoch %d, sequence %d", a.Epoch, a.Seq)
		}
		e, dup, err := s.Append(ctxT(t), doc("a"), mid(1), []byte("one"))
		if err != nil || !dup || e.Seq != a.Seq || e.Epoch != a.Epoch {
			t.Fatalf("again: %+v %v %v, want %+v", e, dup, err, a)
		}
		other := p.stream() // another process knows it too
		if e, dup, err := other.Append(ctxT(t), doc("b"), mid(1), nil); err != nil || !dup || e.Seq != b.Seq {
			t.Fatalf("again: %+v %v %v, want %+v", e, dup, err, b)
		}
		h := must[History](t)(s.Read(ctxT(t), doc("a"), a.Epoch, a.Epoch))
		if len(h.Entries) != 1 || string(h.Entries[0].Body) != "one" || h.Entries[0].Mid != mid(1) {
			t.Fatalf("history: %+v", h)
		}
	})
}

func TestAppendOfAnyBytesAndNames(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		body := make([]byte, 256)
		for i := range body {
			body[i] = byte(i)
		}
		targets := []id.Target{
			id.AllTarget(), id.UserTarget("ü {0} *:\"\\"), doc("{1}:s:x y"), doc(strings.Repeat("z", id.MaxName)),
			id.SocketTarget(77),
		}
		got := follow(t, s)
		for i, target := range targets {
			e := put(t, s, target, mid(i), string(body))
			h := must[History](t)(s.Read(ctxT(t), target, e.Epoch, e.Seq-1))
			if len(h.Entries) != 1 || string(h.Entries[0].Body) != string(body) || h.Entries[0].Target != target {
				t.Fatalf("%v: read %+v", target, h)
			}
		}
		got.wait(t, len(targets))
		for _, e := range got.all() {
			if string(e.Body) != string(body) || e.Target != targets[e.Mid-mid(0)] {
				t.Errorf("received %+v", e)
			}
		}
	})
}

func TestConcurrentAppendersGetGaplessSequences(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		const writers, each = 8, 60
		s := p.stream()
		got := follow(t, s)
		var wg sync.WaitGroup
		for w := range writers {
			mine := p.stream()
			wg.Go(func() {
				for i := range each {
					if _, _, err := mine.Append(context.Background(), doc(fmt.Sprint(i%7)), mid(w*each+i), []byte("x")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		got.wait(t, writers*each)
		got.check(t)
	})
}

func TestAppendManyKeepsTheOrder(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		got := follow(t, s)
		const n = 2*chunkItems + 10
		items := make([]Item, n)
		for i := range items {
			items[i] = Item{Target: doc(fmt.Sprint(i % 5)), Mid: mid(i), Body: []byte(fmt.Sprint(i))}
		}
		put(t, s, items[3].Target, items[3].Mid, "3")
		last := make(map[int]uint64)
		for i, r := range putMany(t, s, items) {
			// What was appended again is a Dup too.
			if i == 3 && !r.Dup {
				t.Fatalf("item %d: %+v", i, r)
			}
			if i != 3 {
				if r.Entry.Seq <= last[r.Entry.Shard] {
					t.Fatalf("item %d: sequence %d after %d", i, r.Entry.Seq, last[r.Entry.Shard])
				}
				last[r.Entry.Shard] = r.Entry.Seq
			}
		}
		got.wait(t, n)
		got.check(t)
	})
}

func TestAppendManyWhenRedisLostItsScripts(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		items := []Item{{doc("a"), mid(1), nil}, {doc("a"), mid(2), nil}, {doc("b"), mid(3), nil}}
		for round := range 3 {
			if err := p.Client().ScriptFlush(ctxT(t)).Err(); err != nil {
				t.Fatal(err)
			}
			for i, r := range putMany(t, s, items) {
				if round > 0 && !r.Dup {
					t.Fatalf("round %d, item %d: %+v", round, i, r)
				}
			}
		}
		if err := p.Client().ScriptFlush(ctxT(t)).Err(); err != nil {
			t.Fatal(err)
		}
		put(t, s, doc("a"), mid(4), "")
	})
}

func TestAppendManyStopsAtAFailure(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	s := p.stream()
	items := make([]Item, 2*chunkItems)
	for i := range items {
		items[i] = Item{Target: doc("a"), Mid: mid(i)}
	}
	p.Mini.SetError("LOADING away")
	for i, r := range s.AppendMany(ctxT(t), items) {
		if r.Err == nil {
			t.Fatalf("item %d succeeded", i)
		}
	}
	p.Mini.SetError("")
	putMany(t, s, items)
	if _, _, err := p.stream().Append(canceled(), doc("a"), mid(-1), nil); err == nil {
		t.Fatal("append with an ended context succeeded")
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestKeysOfTargetsExpire(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		put(t, s, doc("a"), mid(1), "x")
		base := s.shards[s.ShardOf(doc("a"))].keys
		life := func(key string) time.Duration {
			return must[time.Duration](t)(p.Client().PTTL(ctxT(t), key).Result())
		}
		for key, least := range map[string]time.Duration{
			base.stream("d:a"): s.cfg.Window, base.mids("d:a"): s.cfg.Window, base.meta("d:a"): s.cfg.Remember, base.marks: s.cfg.Remember,
		} {
			if got := life(key); got < least || got > 2*least {
				t.Errorf("%s lives for %v, want at least %v", key, got, least)
			}
		}
		// What never expires is bounded: one state and one log for each shard.
		if n := len(p.Keys()); n != 6 {
			t.Errorf("%d keys: %q", n, p.Keys())
		}
	})
}
